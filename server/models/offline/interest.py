"""Decides which facts are worth keeping, and their categories.

Not worth keeping are remarks on the conversation and on the moment, vague plans, and statements of
an assistant except about what it has done.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from functools import lru_cache

from server.core.text import english_stem, words
from server.memories.add.inference import Category
from server.memories.conversation import COURTESIES, Role
from server.models.offline import lexicon
from server.models.offline.effects import Effect
from server.models.offline.facts import Fact
from server.models.offline.lexicon import listed, stems, verb_stem
from server.models.offline.tokens import joined
from server.models.offline.verbs import Sense

_POLITE = COURTESIES - lexicon.PERIODS  # Not the `night` of `I work at night`.
_POINTING = lexicon.word_set("it that this them those these him her so you your one both")
_REMARKING = stems(listed("remarking"))
_AROUND = lexicon.ADVERBS | lexicon.PREPOSITIONS
_MOODS, _TALK, _FINDING_OUT = listed("moods"), stems(listed("talk")), listed("finding_out")
_ASSISTANTS = stems("assistant model bot chatbot program agent ai")
_DONE_BY_ASSISTANT = stems(listed("done_by_assistant"))
_DATED, _IN_PASSING = lexicon.pattern("dated"), lexicon.pattern("in_passing")


def is_of_interest(fact: Fact, role: Role) -> bool:
    """Whether a fact is worth keeping."""
    subject = fact.subject
    if role is Role.ASSISTANT:
        return subject.entity == subject.owner and _is_of_assistant(fact)
    if not fact.clause.rest and fact.stem == "be":
        return False
    if Effect(fact).is_event:
        return True
    if fact.clause.subject[0].lower == "the" or fact.has(Sense.PLANNED):
        return bool(_DATED.search(fact.text))
    if fact.stem == "be" and subject.entity != subject.owner and not subject.noun:
        # `Tom is tall` is not: nobody said who Tom is.
        return bool(fact.relations or fact.role)
    return not _is_remark(fact)


def _is_of_assistant(fact: Fact) -> bool:
    is_past = fact.has(Sense.PAST | Sense.PERFECT) and not fact.has(Sense.PLANNED)
    says_what = fact.stem == "be" and any(
        not stems(item).isdisjoint(_ASSISTANTS) for item in fact.items
    )
    return (is_past and fact.stem in _DONE_BY_ASSISTANT) or says_what


def _is_remark(fact: Fact) -> bool:
    """Whether it is only a reply, a reference to the conversation, or about the moment."""
    rest, subject = fact.clause.rest, fact.subject
    found = [t.lower for t in rest if t.is_word and (t.is_name or t.lower not in _POLITE)]
    if subject.entity != subject.owner:
        is_talk = verb_stem(fact.clause.subject[-1].lower) in _TALK
        return is_talk and not any(map(lexicon.is_quantity, found))  # `My locker code is 4471.`
    mood = found[:1] if fact.stem == "be" else [fact.clause.tokens[fact.clause.verb].lower]
    if not _MOODS.isdisjoint(mood) or (fact.stem == "be" and _IN_PASSING.match(joined(rest).lower())):
        return True
    if lexicon.ADVERBS.issuperset(found):
        return fact.stem in _REMARKING
    asks = found[0] == "to" and not _FINDING_OUT.isdisjoint(found[1:2])
    talks = any(verb_stem(item.split()[-1]) in _TALK for item in fact.items[:1])
    return asks or talks or {word for word in found if word not in _AROUND} <= _POINTING


_ASKING = stems(lexicon.FUNCTION_WORDS | listed("asking"))
MAX_CATEGORIES = 3
_FALLBACK = "misc"
_MORE_KEYWORDS = {
    "family": lexicon.PETS | lexicon.KINSHIP.keys(),
    "professional_details": listed("jobs"),
}
_KEYWORD_STEMS = {
    name: stems(found | _MORE_KEYWORDS.get(name, frozenset()))
    for name, found in lexicon.lists("categories").items()
}


def _stems(text: str) -> frozenset[str]:
    return frozenset(english_stem(word.lower().removesuffix("'s")) for word in words(text))


@lru_cache(maxsize=256)
def keyword_stems(category: Category) -> frozenset[str]:
    """Returns the stems of a category's keywords: built-in ones, its name and description."""
    own = _stems(f"{category.name.replace('_', ' ')} {category.description}") - _ASKING
    return _KEYWORD_STEMS.get(category.name, frozenset()) | own


@lru_cache(maxsize=64)
def _named_by_stem(categories: tuple[Category, ...]) -> dict[str, list[str]]:
    """Returns the categories of each stem."""
    found = defaultdict(list)
    for category in categories:
        for stem in keyword_stems(category):
            found[stem].append(category.name)
    return dict(found)


def categories_of(text: str, categories: Sequence[Category]) -> tuple[str, ...]:
    """Returns at most three categories, by number of matching words; `misc` if none matches."""
    named, names = _named_by_stem(tuple(categories)), [category.name for category in categories]
    scores = Counter(name for stem in _stems(text) for name in named.get(stem, ()))
    best = sorted(scores, key=lambda name: (-scores[name], names.index(name)))
    if best or _FALLBACK not in names:
        return tuple(best[:MAX_CATEGORIES])
    return (_FALLBACK,)
