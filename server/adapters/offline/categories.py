"""Which categories a fact belongs to, by its words."""

from __future__ import annotations

from collections.abc import Sequence

from server.adapters.offline.vocabulary import JOBS, PETS
from server.adapters.offline.words import content_stems, stem, word_set
from server.domain.inference import Category

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
_STEMS = {
    name: frozenset(map(stem, word_set(text) | _MORE_KEYWORDS.get(name, frozenset())))
    for name, text in _KEYWORDS.items()
}


def keyword_stems(category: Category) -> frozenset[str]:
    """The stems that speak for a category: built-in ones, and its own name and description."""
    own = content_stems(f"{category.name.replace('_', ' ')} {category.description}")
    return _STEMS.get(category.name, frozenset()) | frozenset(own)


class Categorizer:
    """Knows the categories of one request."""

    def __init__(self, categories: Sequence[Category]) -> None:
        self._stems = {category.name: keyword_stems(category) for category in categories}

    def categories(self, text: str) -> tuple[str, ...]:
        """At most three categories, the ones that most words speak for first; else `misc`."""
        found = set(content_stems(text))
        scores = {name: len(found & stems) for name, stems in self._stems.items()}
        best = sorted((name for name in scores if scores[name]), key=lambda name: -scores[name])
        if best or _FALLBACK not in self._stems:
            return tuple(best[:MAX_CATEGORIES])
        return (_FALLBACK,)
