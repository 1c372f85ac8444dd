"""Decides which facts are worth keeping, and their categories.

Not worth keeping are remarks on the conversation and on the moment, vague plans, and statements of
an assistant except about what it has done.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from functools import lru_cache

from server.core.text import words
from server.memories.add.inference import Category
from server.memories.conversation import COURTESIES, Role
from server.models.offline import lexicon
from server.models.offline.effects import is_event
from server.models.offline.facts import Fact
from server.models.offline.lexicon import listed, pattern, stems, verb_stem
from server.models.offline.people import content_stems
from server.models.offline.tokens import joined
from server.models.offline.verbs import Sense

_POLITE = COURTESIES - lexicon.PERIODS  # Not the `night` of `I work at night`.
_POINTING = listed("pointing") | lexicon.ADVERBS | lexicon.PREPOSITIONS
_REMARKING, _TALK = stems(listed("remarking")), stems(listed("talk"))
_MOODS, _FINDING_OUT = listed("moods"), listed("finding_out")
_DONE_BY_ASSISTANT, _ASSISTANTS = stems(listed("done_by_assistant")), stems(listed("assistants"))
_DATED, _IN_PASSING = pattern("dated"), pattern("in_passing")


def is_of_interest(fact: Fact, role: Role) -> bool:
    """Whether a fact is worth keeping."""
    is_own, is_plan = fact.subject.entity == fact.subject.owner, fact.has(Sense.PLANNED)
    is_ending, is_be = is_event(fact), fact.stem == "be"
    if role is Role.ASSISTANT:
        is_done = fact.has(Sense.PAST) and not is_plan and fact.stem in _DONE_BY_ASSISTANT
        says_what = is_be and not stems(words(" ".join(fact.items))).isdisjoint(_ASSISTANTS)
        return is_own and (is_done or says_what)
    if is_ending or not (fact.clause.rest or not is_be):
        return is_ending
    if is_plan or fact.clause.subject[0].lower == "the":
        return bool(_DATED.search(fact.text))
    if is_be and not (is_own or fact.subject.noun):
        is_at = fact.what == "where" and any(item[:1].isupper() for item in fact.items[:1])
        return is_at or bool(fact.relations)  # `Tom is tall` does not say who Tom is.
    return not _is_remark(fact, is_own=is_own)


def _is_remark(fact: Fact, *, is_own: bool) -> bool:
    """Whether it is only a reply, a reference to the conversation, or about the moment."""
    rest = fact.clause.rest
    found = [t.lower for t in rest if t.is_word and (t.is_name or t.lower not in _POLITE)]
    if not is_own:
        is_talk = verb_stem(fact.clause.subject[-1].lower) in _TALK
        return is_talk and not any(map(lexicon.is_quantity, found))  # `My locker code is 4471.`
    mood = found[0] if fact.stem == "be" and found else fact.clause.tokens[fact.clause.verb].lower
    if lexicon.ADVERBS.issuperset(found):
        return mood in _MOODS or fact.stem in {*_REMARKING, "be"}
    is_passing = fact.stem == "be" and _IN_PASSING.match(joined(rest).lower())
    asks = found[0] == "to" and not _FINDING_OUT.isdisjoint(found[1:2])
    talks = any(verb_stem(word) in _TALK for item in fact.items[:1] for word in item.split()[-1:])
    return bool(mood in _MOODS or is_passing or asks or talks or _POINTING.issuperset(found))


_ASKING = stems(lexicon.FUNCTION_WORDS | listed("asking"))
MAX_CATEGORIES, _FALLBACK = 3, "misc"
_KEYWORD_STEMS = {n: content_stems(found) for n, found in lexicon.TABLES["categories"].items()}
_KEYWORD_STEMS["family"] |= stems(lexicon.PETS.keys() | lexicon.KINSHIP.keys())
_KEYWORD_STEMS["professional_details"] |= stems(listed("jobs"))


@lru_cache(maxsize=64)
def _named_by_stem(categories: tuple[Category, ...]) -> dict[str, list[str]]:
    """Returns the categories of each stem: of keywords, and of a category's own words."""
    found = defaultdict(list)
    for category in categories:
        own = content_stems(f"{category.name.replace('_', ' ')} {category.description}") - _ASKING
        for stem in _KEYWORD_STEMS.get(category.name, frozenset()) | own:
            found[stem].append(category.name)
    return dict(found)


def categories_of(text: str, categories: Sequence[Category]) -> tuple[str, ...]:
    """Returns at most three categories, by number of matching words; `misc` if none matches."""
    named, names = _named_by_stem(tuple(categories)), [category.name for category in categories]
    scores = Counter(name for stem in content_stems(text) for name in named.get(stem, ()))
    best = sorted(scores, key=lambda name: (-scores[name], names.index(name)))
    return tuple(best[:MAX_CATEGORIES] or ([_FALLBACK] if _FALLBACK in names else []))
