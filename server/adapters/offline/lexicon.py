"""The English words that decide what a clause is: closed classes, and verbs by their class."""

from __future__ import annotations

from server.domain.words import english_stem


def word_set(text: str) -> frozenset[str]:
    """The words of a list that is written as running text."""
    return frozenset(text.split())


def stem_set(text: str) -> frozenset[str]:
    """The stems of such a list."""
    return frozenset(map(english_stem, text.split()))


SPEAKERS_OWN = word_set("my our")
PRONOUNS = word_set("i we he she they you it")
"""Personal pronouns that can only be a subject, apart from `you` and `it`."""

FEMALE = word_set("she her hers")
MALE = word_set("he him his")

AUXILIARIES = word_set("do does did am is are was were have has had will")
NEGATED = {
    "don't": "do", "doesn't": "do", "didn't": "do", "won't": "will", "isn't": "is", "aren't": "are",
    "wasn't": "was", "weren't": "were", "haven't": "have", "hasn't": "have", "hadn't": "had",
    "can't": "can", "cannot": "can", "couldn't": "could", "wouldn't": "would", "ain't": "is",
}  # fmt: skip
MODALS = word_set("would could should might may must shall ought can")

ADVERBS = word_set(
    """really also just still always now currently recently actually absolutely totally mostly
    mainly only even already finally officially definitely truly honestly simply strongly primarily
    soon once both too very not never no longer ever personally usually often sometimes occasionally
    rarely hardly regularly normally typically generally quite kinda then proudly happily sadly
    unfortunately luckily temporarily wrongly long"""
)
LIMITING = word_set(
    """also usually often sometimes occasionally rarely hardly normally typically generally mostly
    mainly temporarily once"""
)
"""Adverbs that make a statement one about some occasions, or one beside others."""

UNREAL = word_set(
    """maybe perhaps possibly probably hypothetically supposedly allegedly reportedly almost nearly
    theoretically presumably hopefully apparently falsely"""
)

CONDITIONAL = word_set("if unless whether suppose supposing assuming imagine pretend provided")
REASON_OR_TIME = word_set(
    """because since when while where before after until as although though so which who and but or
    whenever than"""
)
"""Words that may introduce a further clause of a statement, which is asserted along with it."""

QUESTION_WORDS = word_set("what where when why how which who whose whom")

EMBEDDING = stem_set(
    """say tell think ask believe doubt dream wish imagine claim wonder guess suppose swear joke lie
    deny suspect assume fear insist mention announce hint suggest imply know remember forget realize
    realise pretend fantasize hear argue admit suggest report declare state complain convince deem
    understand mean bet figure notice expect reckon fancy rumor rumour allege predict warn promise
    propose assert agree disagree confirm consider conclude explain fake feign"""
)
"""Verbs under which a clause is not asserted: saying, thinking, asking, doubting, pretending."""

NEVER_FACTS = stem_set(
    "wish dream imagine wonder guess suppose pretend joke bet fake feign lie doubt"
)
"""Those of them that leave no fact even without a clause."""

TASTES = stem_set("like love enjoy adore prefer fancy")
DISTASTES = stem_set("dislike hate detest loathe despise")
CONSUMING = stem_set("drink eat have like love enjoy use smoke take play buy")
POSSESSING = stem_set("own have drive ride buy get adopt rent lease use")
DISPOSING = stem_set("sell lose donate scrap crash trash return")
STOPPING = stem_set("stop quit")

_IRREGULAR = (
    "ate:eat became:become began:begin bought:buy broke:break brought:bring built:build came:come "
    "caught:catch chose:choose did:do done:do drank:drink drew:draw drove:drive fell:fall felt:feel "
    "flew:fly forgot:forget found:find gave:give given:give got:get gotten:get grew:grow had:have "
    "has:have heard:hear held:hold hid:hide kept:keep knew:know known:know learnt:learn led:lead "
    "left:leave lent:lend lost:lose made:make met:meet paid:pay quit:quit ran:run rode:ride "
    "said:say sang:sing sat:sit saw:see seen:see sent:send slept:sleep sold:sell spent:spend "
    "spoke:speak stood:stand stole:steal swam:swim taught:teach thought:think threw:throw told:tell "
    "took:take taken:take understood:understand went:go gone:go woke:wake won:win wore:wear "
    "wrote:write written:write am:be is:be are:be was:be were:be been:be being:be dreamt:dream "
    "meant:mean swore:swear dying:die lying:lie broken:break fought:fight cut:cut put:put set:set "
    "hit:hit hurt:hurt let:let cost:cost bet:bet spread:spread shut:shut read:read"
)
IRREGULAR = dict(pair.split(":") for pair in _IRREGULAR.split())
"""From an irregular form to the base."""

_SAME_IN_THE_PAST = word_set("cut put set hit hurt let cost bet spread shut read")
IRREGULAR_PAST = (
    frozenset(IRREGULAR) - _SAME_IN_THE_PAST - word_set("am is are been being has dying lying")
)
_NOT_PAST = word_set("need feed breed bleed speed")

VERBS = word_set(
    """adopt attend avoid bake believe build buy camp care celebrate climb coach code collect
    commute cook cycle dance design develop dislike do drink drive earn eat enjoy exercise feel fish
    follow garden get give go grow hate have help hike hope intern invest keep knit know lead learn
    like listen live look love maintain make manage meditate miss need own paint plan play practice
    practise prefer publish raise read rent ride run sail sell sew share sing skate ski sleep smoke
    speak spend study suffer support surf swim take teach think train travel use visit volunteer vote
    walk want watch wear weigh work write prefer can't can am have cannot own detest adore commute
    breed brew start move turn begin open close finish end come mean cost hurt"""
)
"""Verbs in the form that follows `I`; only a verb that shares its subject needs to be one of them."""

MAYBE_NOUNS = word_set(
    """bike camp care coach code cook cycle dance design drink drive exercise fish garden help hike
    hope intern look love need plan play practice rent ride run sail ski sleep smoke study support
    surf swim train travel use visit vote walk watch work"""
)
PREPOSITIONS = word_set(
    """in on at to from with for of by about into over under near during after before until without
    around through since between against towards across along beside besides despite except like
    as than via per within"""
)
DETERMINERS = word_set(
    """the a an some any my their his her our its no much many all every little each both several
    two three four five six seven eight nine ten this that these those lots lot plenty of one"""
)
STATES = word_set(
    """vegetarian vegan pescatarian flexitarian lactose gluten allergic intolerant married single
    divorced engaged diabetic pregnant retired unemployed self-employed left-handed right-handed
    coeliac celiac kosher halal keto teetotal deaf blind"""
)
"""Predicates that can follow `and` after another one, as in `I am tall and vegan`."""

DIETS = word_set("vegetarian vegan pescatarian flexitarian kosher halal keto paleo teetotal")

KINSHIP = {
    "wife": "married_to", "husband": "married_to", "spouse": "married_to", "partner": "partner_of",
    "girlfriend": "partner_of", "boyfriend": "partner_of", "fianc\u00e9": "engaged_to",
    "fianc\u00e9e": "engaged_to", "fiance": "engaged_to", "fiancee": "engaged_to",
    "mom": "mother_of", "mum": "mother_of", "dad": "father_of", "kid": "child_of",
    "baby": "child_of", "twin": "sibling_of", "grandma": "grandmother_of",
    "grandpa": "grandfather_of", "boss": "manager_of", "coworker": "colleague_of",
    "flatmate": "roommate_of", "neighbour": "neighbor_of",
} | {
    noun: f"{noun.replace('-', '_')}_of"
    for noun in ["sister", "brother", "sibling", "mother", "father", "son", "daughter", "child", "uncle", "aunt", "cousin", "grandmother", "grandfather", "niece", "nephew", "stepmother", "stepfather", "mother-in-law", "father-in-law", "sister-in-law", "brother-in-law", "friend", "manager", "mentor", "colleague", "teammate", "roommate", "neighbor", "teacher", "coach", "doctor", "dentist", "therapist"]
}  # fmt: skip
"""What a person is to another, and the relation from that person to the other."""

SYMMETRIC = word_set("married_to partner_of engaged_to")
"""Kinships that are told from the speaker's side."""

UNIQUE_KIN = word_set(
    """wife husband spouse partner girlfriend boyfriend fianc\u00e9 fianc\u00e9e fiance fiancee mom
    mum dad mother father boss manager mother-in-law father-in-law"""
)
FEMALE_KIN = word_set(
    """wife girlfriend fianc\u00e9e fiancee mom mum mother sister daughter aunt grandmother grandma
    niece stepmother mother-in-law sister-in-law ms mrs miss"""
)
MALE_KIN = word_set(
    """husband boyfriend fianc\u00e9 fiance dad father brother son uncle grandfather grandpa nephew
    stepfather father-in-law brother-in-law mr sir"""
)
PETS = word_set(
    """dog puppy cat kitten rabbit bunny hamster parrot horse pony turtle tortoise goldfish bird
    ferret snake lizard labrador poodle beagle terrier retriever corgi"""
)
JOBS = word_set(
    """actor actress analyst architect artist attorney baker barista biologist builder butcher ceo
    chef chemist clerk coach cook cto dentist doctor driver economist electrician engineer farmer
    founder freelancer journalist judge lawyer lead librarian mechanic midwife musician nanny nurse
    officer painter paralegal paramedic pharmacist physicist pilot plumber professor programmer
    psychologist scientist secretary soldier student surgeon surveyor tailor teacher technician
    therapist translator tutor vet waiter waitress welder writer"""
)
"""Occupations that `is_job` cannot tell by their ending."""

_JOB_ENDINGS = ("ologist", "artist", "ntist", "nomist", "rist", "eer", "ician", "grapher", "keeper",
                "maker", "worker", "manager", "designer", "developer", "director", "dresser",
                "fighter", "tender", "consultant", "assistant", "accountant", "trainer")  # fmt: skip
MARITAL = word_set("single married divorced engaged widowed separated")

NOT_NAMES = word_set(
    """i the a an this that these those it he she they we you yes no not my our his her its their
    yesterday today tomorrow tonight monday tuesday wednesday thursday friday saturday sunday
    january february march april may june july august september october november december
    mondays tuesdays wednesdays thursdays fridays saturdays sundays last next when where while
    after before since because if so and but or also however although though then there here what
    who which why how every each some any all both most many currently recently now once in on at
    from for with by as to of usually sometimes always never christmas easter ok okay hi hello hey
    dear please thanks thank unfortunately actually anyway besides lately one two three four
    five another everyone everybody nobody someone people oh well yeah despite instead until unless
    am is are was were do does did has have had can will would neither either none nothing let
    don't dont can't forget remember nor"""
)
"""Words that are written with a capital for other reasons than being a name."""


def is_past(word: str) -> bool:
    """Whether the word is a verb in the past tense, as far as its look tells."""
    return word in IRREGULAR_PAST or (word.endswith("ed") and word not in _NOT_PAST)


def is_job(word: str) -> bool:
    """Whether the word is an occupation, as far as its ending tells."""
    return word in JOBS or word.endswith(_JOB_ENDINGS)


def verb_stem(word: str) -> str:
    """What all forms of a verb have in common."""
    return english_stem(IRREGULAR.get(word, word))


def third_person(verb: str) -> str:
    """The form for he, she or it: `study` becomes `studies`."""
    special = {"am": "is", "are": "is", "were": "was", "have": "has", "do": "does"}
    negated = {"don't": "doesn't", "haven't": "hasn't", "ain't": "isn't", "aren't": "isn't"}
    if verb in special or verb in negated:
        return special.get(verb) or negated[verb]
    if verb in MODALS or verb in NEGATED or verb in {"will", "did", "had", "was"} or is_past(verb):
        return verb
    if verb.endswith(("s", "x", "z", "ch", "sh", "o")):
        return verb + "es"
    if verb.endswith("y") and verb[-2:-1] not in {"a", "e", "i", "o", "u", ""}:
        return verb[:-1] + "ies"
    return verb + "s"
