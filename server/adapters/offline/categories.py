"""Which categories a fact belongs to, and whether it is what a request asks for, by its words."""

from __future__ import annotations

from collections.abc import Sequence

from server.adapters.offline.lexicon import JOBS, PETS, word_set
from server.domain.inference import Category
from server.domain.words import english_stem, words

MAX_CATEGORIES = 3
_FALLBACK = "misc"

_KEYWORDS = {
    "personal_details": """name named called live living moved born age years birthday address phone
        email from grew hometown nationality speak speaks language married single""",
    "family": """pet family parents grandparents kids children siblings
        wedding married wife husband partner girlfriend boyfriend fiance fiancee sister brother twin
        mother mom mum father dad son daughter child baby uncle aunt cousin grandmother grandma
        grandfather grandpa niece nephew stepmother stepfather mother-in-law father-in-law
        sister-in-law brother-in-law""",
    "professional_details": """work works job company career office employed employer boss manager
        colleague coworker team promoted promotion salary startup business hired joined freelance
        meeting project client degree university college studies study graduated major
        internship""",
    "sports": """sport sports football soccer tennis basketball baseball volleyball swim swimming
        run running marathon gym cycling bike climbing skiing ski surf surfing yoga golf rugby
        hockey boxing karate judo rowing hiking workout fitness match league race training""",
    "travel": """travel traveling trip visit visited vacation holiday flight flew fly airport hotel
        abroad passport tour cruise backpacking itinerary beach journey""",
    "food": """food eat eats eating cook cooking restaurant meal breakfast lunch dinner vegetarian
        vegan meat fish cheese bread pasta pizza sushi coffee tea wine beer chocolate dessert cake
        spicy cuisine recipe fruit vegetables rice soup salad snack drink mushrooms cilantro gluten
        dairy nuts peanuts shellfish baking""",
    "music": """music song songs band guitar piano violin drums sing singing concert album jazz rock
        hip-hop classical playlist opera choir musician spotify""",
    "health": """health allergic allergy allergies intolerant diabetes asthma doctor hospital
        medicine medication diagnosed surgery therapy anxiety therapist depression insomnia injury
        pain diet sick illness migraine pregnant dentist vegan vaccine""",
    "technology": """technology computer laptop phone android iphone software app programming code
        coding python rust java javascript linux mac windows ai robot database server kubernetes
        neovim gadget camera internet""",
    "hobbies": """hobby hobbies hiking reading painting photography gardening knitting gaming chess
        collecting collect collects crafts drawing pottery fishing camping dancing woodworking
        puzzles birdwatching volunteer""",
    "fashion": """fashion clothes clothing shoes sneakers dress wear wears style jacket jewelry
        outfit""",
    "entertainment": """movie movies film films series show shows tv netflix book books novel game
        games theater theatre podcast anime manga comedy watch watches""",
    "milestones": """graduated graduation married wedding engaged born birth promoted promotion
        anniversary retired bought adopted award""",
    "user_preferences": """prefer prefers like likes love loves favorite favourite hate hates
        dislike dislikes enjoy enjoys fan allergic avoid avoids""",
    "misc": "",
}  # fmt: skip

_MORE_KEYWORDS = {"family": PETS, "professional_details": JOBS}
_KEYWORD_STEMS = {
    name: frozenset(map(english_stem, word_set(text) | _MORE_KEYWORDS.get(name, frozenset())))
    for name, text in _KEYWORDS.items()
}


# Words of a request such as `only food preferences`; what remains is what it is about.
_ASKING = word_set(
    """only include includes keep store remember save anything everything something things thing stuff
    facts fact information info details detail data memories memory mentions mention related
    relating regarding concerning please all like such kind kinds type types topic topics important
    relevant user users person people other about the a an and or of my to in on for with what that
    is are their his her user's no not"""
)
_PREFERENCE = frozenset({"preference", "preferences"})


def _stems(text: str, without: frozenset[str] = frozenset()) -> frozenset[str]:
    found = (word.lower().removesuffix("'s") for word in words(text))
    return frozenset(english_stem(word) for word in found if word not in without)


def keyword_stems(category: Category) -> frozenset[str]:
    """The stems that speak for a category: built-in ones, and its own name and description."""
    own = _stems(f"{category.name.replace('_', ' ')} {category.description}", _ASKING)
    return _KEYWORD_STEMS.get(category.name, frozenset()) | own


class Categorizer:
    """Knows the categories of one request."""

    def __init__(self, categories: Sequence[Category]) -> None:
        self._stems = {category.name: keyword_stems(category) for category in categories}

    def categories(self, text: str) -> tuple[str, ...]:
        """At most three categories, the ones that most words speak for first; else `misc`."""
        found = _stems(text)
        scores = {name: len(found & stems) for name, stems in self._stems.items()}
        best = sorted((name for name in scores if scores[name]), key=lambda name: -scores[name])
        if best or _FALLBACK not in self._stems:
            return tuple(best[:MAX_CATEGORIES])
        return (_FALLBACK,)


class Filter:
    """A wish such as `only food preferences`, read as a list of words.

    A fact meets it if the two share a stem, or if the fact has a keyword of a category that the
    wish names. A wish of no such words is met by every fact.
    """

    def __init__(self, wish: str, categories: Sequence[Category]) -> None:
        # `Food preferences` is about food; `preferences` alone is about these.
        stems = _stems(wish, _ASKING | _PREFERENCE) or _stems(wish, _ASKING)
        named = [c for c in categories if stems & _stems(c.name.replace("_", " "))]
        self._stems = stems.union(*map(keyword_stems, named))

    def matches(self, text: str) -> bool:
        """Whether the fact has to do with the wish."""
        return not self._stems or bool(self._stems & _stems(text))
