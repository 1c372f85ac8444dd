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
from server.models.offline.facts import Fact
from server.models.offline.phrases import states_quantity
from server.models.offline.sentences import joined
from server.models.offline.statements import Who

_POLITE = COURTESIES - lexicon.listed("periods")  # Not the `night` of `I work at night`.
_POINTING = lexicon.word_set("it that this them those these him her so you your one both")
_REMARKING = lexicon.verbs_listed("remarking")
_AROUND = lexicon.ADVERBS | lexicon.PREPOSITIONS
_MOODS, _TALK = lexicon.listed("moods"), lexicon.verbs_listed("talk")
_FINDING_OUT = lexicon.listed("finding_out")
_ASSISTANTS = lexicon.stems("assistant model bot chatbot program agent ai")
_DONE_BY_ASSISTANT = lexicon.verbs_listed("done_by_assistant")
_DATED, _IN_PASSING = lexicon.pattern("dated"), lexicon.pattern("in_passing")


def is_of_interest(fact: Fact, role: Role) -> bool:
    """Whether a fact is worth keeping."""
    statement = fact.statement
    if role is Role.ASSISTANT:
        return statement.who is Who.SPEAKER and _is_of_assistant(fact)
    if _is_remark(fact):
        return False
    if statement.who is Who.THING or statement.is_planned:
        return bool(fact.is_ending or _DATED.search(fact.text))
    if fact.stem != "be":
        return True
    # `Tom is tall` is not: nobody said who Tom is.
    says_who = statement.who is not Who.NAMED or fact.relations or fact.role
    return bool(statement.rest and (says_who or fact.is_ending or fact.ending.over))


def _is_of_assistant(fact: Fact) -> bool:
    statement = fact.statement
    has_done = statement.is_past and not statement.is_planned and fact.stem in _DONE_BY_ASSISTANT
    says_what = fact.stem == "be" and any(i.head in _ASSISTANTS for i in fact.complement.items)
    return has_done or says_what


def _is_remark(fact: Fact) -> bool:
    """Whether it is only a reply, a reference to the conversation, or about the moment."""
    statement = fact.statement
    words = [t.lower for t in statement.rest if t.is_word and (t.is_name or t.lower not in _POLITE)]
    if statement.who is Who.OWNED:
        is_talk = lexicon.verb_stem(statement.subject_tokens[-1].lower) in _TALK
        return is_talk and not states_quantity(statement.rest)  # `My locker code is 4471.`
    if statement.who is not Who.SPEAKER:
        return False
    if _is_about_the_moment(fact, words[:1]):
        return True
    if lexicon.ADVERBS.issuperset(words):
        return fact.stem in _REMARKING
    pointed = {word for word in words if word not in _AROUND}
    asks = words[0] == "to" and not _FINDING_OUT.isdisjoint(words[1:2])
    talks = any(item.head in _TALK for item in fact.complement.items[:1])
    return pointed <= _POINTING or asks or talks


def _is_about_the_moment(fact: Fact, first: Sequence[str]) -> bool:
    """Whether it states a mood, regret or something passing; `first` is the word after the verb."""
    statement = fact.statement
    verb = statement.tokens[statement.verb].lower
    if fact.stem != "be":
        mood = [verb] if verb.endswith("ing") else []
        return not (_MOODS.isdisjoint(mood) or fact.ending.over)
    if _IN_PASSING.match(joined(statement.rest).lower()):
        return True
    return not (_MOODS.isdisjoint(first) or fact.ending.over)


_ASKING = frozenset(map(english_stem, lexicon.FUNCTION_WORDS | lexicon.listed("asking")))
MAX_CATEGORIES = 3
_FALLBACK = "misc"

_MORE_KEYWORDS = {
    "family": lexicon.PETS | lexicon.KINSHIP.keys(),
    "professional_details": lexicon.listed("jobs"),
}
_KEYWORD_STEMS = {
    name: frozenset(map(english_stem, found | _MORE_KEYWORDS.get(name, frozenset())))
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
