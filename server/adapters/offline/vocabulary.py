"""English nouns that tell what kind of thing is spoken of."""

from __future__ import annotations

from server.adapters.offline.words import word_set

KINSHIP = {
    "wife": "married_to", "husband": "married_to", "spouse": "married_to",
    "partner": "partner_of", "girlfriend": "partner_of", "boyfriend": "partner_of",
    "fiance": "engaged_to", "fianc\u00e9": "engaged_to", "fiancee": "engaged_to",
    "fianc\u00e9e": "engaged_to",
    "sister": "sister_of", "brother": "brother_of", "sibling": "sibling_of", "twin": "sibling_of",
    "mother": "mother_of", "mom": "mother_of", "mum": "mother_of", "mommy": "mother_of",
    "father": "father_of", "dad": "father_of", "daddy": "father_of",
    "son": "son_of", "daughter": "daughter_of", "child": "child_of", "kid": "child_of",
    "baby": "child_of", "uncle": "uncle_of", "aunt": "aunt_of", "cousin": "cousin_of",
    "grandmother": "grandmother_of", "grandma": "grandmother_of", "granny": "grandmother_of",
    "grandfather": "grandfather_of", "grandpa": "grandfather_of", "niece": "niece_of",
    "nephew": "nephew_of", "stepmother": "stepmother_of", "stepfather": "stepfather_of",
    "mother-in-law": "mother_in_law_of", "father-in-law": "father_in_law_of",
    "sister-in-law": "sister_in_law_of", "brother-in-law": "brother_in_law_of",
    "friend": "friend_of", "boss": "manager_of", "manager": "manager_of", "mentor": "mentor_of",
    "colleague": "colleague_of", "coworker": "colleague_of", "co-worker": "colleague_of",
    "teammate": "teammate_of", "roommate": "roommate_of", "flatmate": "roommate_of",
    "neighbor": "neighbor_of", "neighbour": "neighbor_of", "teacher": "teacher_of",
    "coach": "coach_of", "doctor": "doctor_of", "dentist": "dentist_of",
    "therapist": "therapist_of",
}  # fmt: skip
"""What a person is to another, and the relation from that person to the other."""

SYMMETRIC = frozenset({"married_to", "partner_of", "engaged_to"})
"""Kinships that are told from the speaker's side."""

PETS = word_set(
    """dog puppy cat kitten rabbit bunny hamster parrot horse pony turtle tortoise goldfish fish
    bird guinea-pig ferret snake lizard labrador poodle beagle terrier retriever corgi"""
)

JOBS = word_set(
    """accountant actor actress analyst architect artist attorney baker barista bartender biologist
    bookkeeper builder butcher ceo chef chemist coach composer consultant contractor cook counselor
    cto dancer dentist designer developer director doctor driver economist editor electrician
    engineer entrepreneur farmer filmmaker firefighter founder freelancer gardener geologist
    hairdresser historian illustrator instructor intern interpreter investor janitor journalist
    judge landscaper lead lawyer lecturer librarian manager marketer mathematician mechanic midwife
    musician nanny nurse nutritionist officer painter paralegal paramedic pharmacist photographer
    physician physicist physiotherapist pilot plumber policeman producer professor programmer
    psychologist psychiatrist realtor receptionist recruiter researcher salesperson scientist
    secretary singer soldier solicitor sommelier specialist student surgeon surveyor tailor teacher
    technician therapist trainer translator tutor veterinarian vet waiter waitress welder writer"""
)

DIETS = (
    "vegetarian", "vegan", "pescatarian", "flexitarian", "kosher", "halal", "keto", "gluten-free",
    "gluten free", "dairy-free", "dairy free", "paleo", "teetotal", "lactose intolerant",
    "gluten intolerant", "celiac", "coeliac",
)  # fmt: skip

ATTRIBUTES = word_set(
    """address birthday birthplace hometown nickname email phone employer nationality citizenship
    religion major car bike motorcycle hobby passion dream goal job occupation profession surname
    username timezone height weight anniversary"""
)
"""What a person has one of, mostly."""

NATIONALITIES = word_set(
    """american german mexican french dutch swiss greek czech thai british english irish scottish
    welsh swedish danish finnish norwegian icelandic polish turkish spanish portuguese chinese
    japanese korean vietnamese italian brazilian indian russian ukrainian canadian australian
    african european asian latino latina hispanic jewish muslim christian catholic hindu buddhist
    sikh protestant mormon republican democrat moroccan chilean cuban arab israeli pakistani
    capricorn aquarius pisces aries taurus gemini cancer leo virgo libra scorpio sagittarius"""
)
"""Capitalized words that say what somebody is, not what they are called."""

NOT_NAMES = word_set(
    """i the a an this that these those it he she they we you yes no not my our his her its their
    yesterday today tomorrow tonight monday tuesday wednesday thursday friday saturday sunday
    january february march april may june july august september october november december
    mondays tuesdays wednesdays thursdays fridays saturdays sundays
    last next when where while after before since because if so but and or also however although
    though then there here what who which why how every each some any all both most many currently
    recently now once during in on at from for with by as to of usually sometimes always never
    christmas easter thanksgiving ok okay hi hello hey dear please thanks thank mr mrs ms dr prof
    mom dad mum unfortunately actually anyway besides later earlier lately one two three four five
    another other everyone everybody nobody someone people morning evening oh well yeah and
    despite instead until unless am is are was were do does did has have had can will would"""
)
"""Words that begin with a capital for other reasons than being a name."""

NOT_PLACES = word_set(
    """a an the my their his her our this that it here there home work night least first last all
    once peace general fear love debt town school church bed time order case fact addition person
    bulk style life shape use need charge progress secret part full some two three four five many
    several different various nature college university public private silence"""
)
"""Words after `in`, `at` or `to` that name no place or organization."""

STOPS = word_set(
    """and or but because since when while where who which that if so as than with without for in
    on at from to by about into during after before until over under near around through then
    though although yesterday today tonight tomorrow last next this every each daily weekly monthly
    now anymore nowadays lately recently currently too also very really instead again is was are
    were has have had will would can could more much most always usually often sometimes
    these those it them him her there here ever alone together regularly
    today's twice once thrice whenever however despite except unless both not"""
)
"""Words at which a noun phrase ends."""
