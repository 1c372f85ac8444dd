"""What a fact takes back of another: by denying it, or by telling that something was given up.

Of a list only the things that are named go. In doubt nothing is taken back.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from server.core.words import english_stem, words
from server.models.offline.clauses import joined
from server.models.offline.facts import Fact, content_stems, gerund_item
from server.models.offline.lexicon import (
    ACTIVITIES,
    CONSUMING,
    DETERMINERS,
    DISPOSING,
    ENDING,
    LEAVING,
    POSSESSING,
    PREPOSITIONS,
    TASTES,
    stem_set,
    word_set,
)
from server.models.offline.phrases import Item

_GIVING_AWAY = stem_set("give throw get")
_BEFORE_WHAT_IS_ENDED = frozenset({"", "from", "out of"})
_BELONGING = word_set("member subscriber part in on")
_ARRANGEMENTS = stem_set("subscription membership")
_LISTING = word_set("and or ,")
_FUNCTION_STEMS = stem_set(" ".join(PREPOSITIONS | DETERMINERS))


def is_ending(fact: Fact) -> bool:
    """Whether the fact says that something is not so, not any more, sold, lost or given up."""
    return fact.is_retraction or _disposed(fact) or _gave_up(fact)


def taken_back(fact: Fact, other: Fact) -> tuple[Item, ...] | None:
    """What the first fact takes back of the other: things, () for all of it, None for nothing."""
    if not fact.shares_subject(other) or other.is_retraction:
        return None
    ends = None if fact.is_qualified else _ended(fact, other)
    if ends is not None:
        return ends
    if _gave_up(fact):
        return _given_up(fact, other)
    if fact.is_qualified:
        return None
    if _disposed(fact):
        return _matching(other, fact) if other.statement.stem in POSSESSING else None
    is_denial = fact.statement.is_denied or fact.statement.is_over
    return _denied(fact, other) if is_denial and not fact.statement.is_ability else None


def _disposed(fact: Fact) -> bool:
    """Whether the fact says that something was sold, lost or given away."""
    statement = fact.statement
    if statement.is_denied or statement.is_planned or fact.is_qualified:
        return False
    words = {token.lower for token in statement.rest}
    is_away = bool(words & {"away", "rid", "out"})
    return statement.stem in DISPOSING or (statement.stem in _GIVING_AWAY and is_away)


def _gave_up(fact: Fact) -> bool:
    """Whether the fact says that somebody gave up, quit or cancelled something."""
    statement = fact.statement
    if statement.is_denied or statement.is_planned or statement.is_limited:
        return False
    lead = fact.complement.lead
    is_up = lead == "up" and statement.stem == "give"
    is_over = statement.stem in ENDING | LEAVING and lead in _BEFORE_WHAT_IS_ENDED
    return (is_up or is_over) and bool(fact.complement.items)


def _denied(fact: Fact, other: Fact) -> tuple[Item, ...] | None:
    """What a fact denies of another, in the same words or more general ones."""
    gerund = gerund_item(other, fact.statement.stem)
    if gerund is not None and {item.head for item in fact.complement.items} <= {gerund.head}:
        return _unless_all(other, (gerund,))
    if fact.statement.is_over and _is_done_with(fact.statement.stem, other):
        return _matching(other, fact, by_all_words=True) if fact.complement.items else None
    if not fact.shares_verb(other):
        return None
    if not fact.complement.items:
        return () if fact.statement.is_over or not other.complement.items else None
    return _matching(other, fact, by_all_words=True)


def _given_up(fact: Fact, other: Fact) -> tuple[Item, ...] | None:
    """What of the other fact was given up: things by all of their words, or what was done."""
    gone: set[Item] = set()
    tail = content_stems(joined(fact.complement.tail)) if fact.is_qualified else frozenset()
    tail -= _FUNCTION_STEMS
    for item in fact.complement.items:
        first, *others = words(item.text) or [""]
        if _is_had(other, fact, item):
            named = content_stems(item.text) | tail
            if other.statement.stem not in TASTES:
                named = named - _ARRANGEMENTS or named
            gone.update(_having(other, named))
        verb = english_stem(first) if first.endswith("ing") else ""
        if verb == other.statement.stem or _is_done_with(verb, other):
            if not others and not tail:
                return ()
            gone.update(_having(other, content_stems(" ".join(others)) | tail))
    return _unless_all(other, gone) if gone else None


def _having(fact: Fact, stems: frozenset[str]) -> Iterator[Item]:
    """The things of the fact that have all of these words, in them or behind them."""
    tail = fact.complement.tail
    is_list = any(token.lower in _LISTING for token in tail)
    behind = frozenset() if is_list else content_stems(joined(tail))
    return (item for item in fact.complement.items if stems <= content_stems(item.text) | behind)


def _is_had(fact: Fact, ending: Fact, item: Item) -> bool:
    """Whether the fact says that somebody has, likes or takes part in something, so that it ends.

    Things are dropped and left in other ways too: then it must be an activity, or told in full.
    """
    statement = fact.statement
    if statement.stem == "be":
        return any(token.lower in _BELONGING for token in statement.rest[:3])
    if statement.stem in ACTIVITIES:
        return True
    is_clear = ending.statement.stem not in LEAVING or len(words(item.text)) > 1
    return is_clear and statement.stem in CONSUMING


def _is_done_with(stem: str, fact: Fact) -> bool:
    """Whether the verb is what one does with things that the fact says are liked."""
    return stem in CONSUMING and fact.statement.stem in TASTES


def _ended(fact: Fact, other: Fact) -> tuple[Item, ...] | None:
    """What goes by the relations that the fact ends."""
    for relation, target in fact.ends:
        for stated in other.relations:
            if stated.relation != relation or stated.source.key != other.subject.entity.key:
                continue
            if target in {"", stated.target.key} or stated.target.key.startswith(f"{target} "):
                gone = tuple(i for i in other.complement.items if i.text.casefold() == target)
                return _unless_all(other, gone)
    return None


def _matching(fact: Fact, new: Fact, *, by_all_words: bool = False) -> tuple[Item, ...] | None:
    """The things of the fact that the new one names; () if that is all of them.

    `by_all_words` says that `red wine` does not name `wine`, and `wine` names both.
    """
    wanted = [(item.head, content_stems(item.text)) for item in new.complement.items]
    gone = tuple(
        item
        for item in fact.complement.items
        if any(
            item.head == head and (not by_all_words or stems <= content_stems(item.text))
            for head, stems in wanted
        )
    )
    return _unless_all(fact, gone) if gone else None


def _unless_all(fact: Fact, gone: Iterable[Item]) -> tuple[Item, ...]:
    """The things in their order; () if those are all of the fact's."""
    named = set(gone)
    found = tuple(item for item in fact.complement.items if item in named)
    return () if len(found) == len(fact.complement.items) else found
