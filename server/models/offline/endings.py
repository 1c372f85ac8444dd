"""What a fact takes back of another: by denying it, or by telling that something was given up.

Of a list only the things that are named go. In doubt nothing is taken back.
"""

from __future__ import annotations

from collections.abc import Iterable

from server.models.offline.clauses import joined, lowered
from server.models.offline.facts import Fact
from server.models.offline.lexicon import (
    DETERMINERS,
    POSSESSING,
    PREPOSITIONS,
    TASTES,
    USING,

    verb_stem,
    verbs_listed,
    word_set,
)
from server.models.offline.phrases import Item, content_stems

_DISPOSING = verbs_listed("disposing")
_ENDING = verbs_listed("ending")
_AMBIGUOUS = verbs_listed("ambiguous_ending")
_GIVING_AWAY = frozenset(map(verb_stem, word_set("give throw get")))
_LEAVING_WORK = frozenset(map(verb_stem, word_set("leave quit resign retire")))
_PARTING = frozenset(map(verb_stem, word_set("break split separate divorce")))
_HAVING = USING | TASTES | POSSESSING
_LEADS = frozenset({"", "up", "from", "out of"})
_BELONGING = word_set("member subscriber part in on")
_ARRANGEMENTS = content_stems("subscription membership")
_FUNCTION_STEMS = content_stems(" ".join(PREPOSITIONS | DETERMINERS))
_PARTNERS = word_set("dates engaged_to married_to")


def is_ending(fact: Fact) -> bool:
    """Whether the fact says that something is not so, not any more, sold, lost or given up."""
    return fact.statement.is_retraction or bool(
        _ended_relations(fact) or _is_disposal(fact) or _is_giving_up(fact)
    )


def taken_back(fact: Fact, other: Fact) -> tuple[Item, ...] | None:
    """What the first fact takes back of the other: things, () for all of it, None for nothing."""
    statement = fact.statement
    if not fact.shares_subject(other) or other.statement.is_retraction or is_ending(other):
        return None
    if not fact.is_qualified and _ends_relation(fact, other):
        return ()
    if _is_giving_up(fact):
        return _given_up(fact, other)
    if fact.is_qualified or statement.is_ability:
        return None
    if _is_disposal(fact):
        return _matching(fact, other) if other.stem in POSSESSING else None
    return _denied(fact, other) if statement.is_retraction else None


def _is_done(fact: Fact) -> bool:
    statement = fact.statement
    return not (statement.is_retraction or statement.is_planned or statement.is_limited)


def _is_disposal(fact: Fact) -> bool:
    """Whether the fact says that something was sold, lost or given away."""
    is_away = not word_set("away rid out").isdisjoint(lowered(fact.statement.rest))
    return _is_done(fact) and (fact.stem in _DISPOSING or (fact.stem in _GIVING_AWAY and is_away))


def _is_giving_up(fact: Fact) -> bool:
    """Whether the fact says that somebody gave up, quit or cancelled something."""
    is_up = fact.stem != verb_stem("give") or fact.complement.lead == "up"
    is_end = fact.stem in _ENDING and is_up and fact.complement.lead in _LEADS
    return _is_done(fact) and is_end and bool(fact.complement.items)


def _ended_relations(fact: Fact) -> frozenset[str]:
    """The relations that end by what the verb says: of a job that was quit, of a marriage."""
    if not _is_done(fact):
        return frozenset()
    is_fired = lowered(fact.statement.rest[:1]) in (["fired"], ["laid"])
    if fact.stem in _LEAVING_WORK or (fact.stem in {"be", "get"} and is_fired):
        return frozenset({"works_at"})
    return _PARTNERS if fact.stem in _PARTING else frozenset()


def _ends_relation(fact: Fact, other: Fact) -> bool:
    """Whether the other fact states a relation that ends; of work, only what is named ends."""
    named = {item.key for item in fact.complement.items}
    is_any = fact.stem not in {"leav", "quit"} or bool(
        word_set("job work position company").intersection(lowered(fact.statement.rest))
    )
    return any(
        relation.source.key == other.subject.entity.key
        and (relation.relation != "works_at" or is_any or relation.target.key in named)
        for relation in other.relations
        if relation.relation in _ended_relations(fact)
    )


def _denied(fact: Fact, other: Fact) -> tuple[Item, ...] | None:
    """What a fact denies of another, in the same words or more general ones."""
    is_over = fact.statement.is_over
    doing = [item for item in other.complement.items if item.doing == fact.stem]
    if other.stem in TASTES and doing:
        heads = {item.head for item in fact.complement.items}
        gone = [item for item in doing if heads <= {item.head}]
        return _unless_all(other, gone) if gone else None
    is_done_with = is_over and fact.stem in USING and other.stem in TASTES
    is_same = fact.stem == other.stem and fact.complement.lead == other.complement.lead
    if fact.complement.items:
        return _matching(fact, other) if is_same or is_done_with else None
    return () if is_same and (is_over or not other.complement.items) else None


def _given_up(fact: Fact, other: Fact) -> tuple[Item, ...] | None:
    """What of the other fact was given up, named by all of its words."""
    behind = content_stems(joined(fact.complement.tail)) if fact.is_qualified else frozenset()
    tail = other.complement.tail
    is_list = not word_set("and or ,").isdisjoint(lowered(tail))
    others_tail = frozenset() if is_list else content_stems(joined(tail))
    gone = []
    for item in fact.complement.items:
        if not _is_had(fact, other, item):
            continue
        named = item.stems | (behind - _FUNCTION_STEMS)
        if other.stem not in TASTES:
            named = named - _ARRANGEMENTS or named
        gone += [had for had in other.complement.items if named <= had.stems | others_tail]
    return _unless_all(other, gone) if gone else None


def _is_had(fact: Fact, other: Fact, item: Item) -> bool:
    """Whether the other fact says that somebody has, uses or likes something, so that it ends.

    Things are dropped and left in other ways too: then it must be told in full.
    """
    if other.stem == "be":
        return not _BELONGING.isdisjoint(lowered(other.statement.rest[:3]))
    is_clear = fact.stem not in _AMBIGUOUS or len(item.stems) > 1
    return other.stem in _HAVING and is_clear


def _matching(fact: Fact, other: Fact) -> tuple[Item, ...] | None:
    """The things of the other fact that this one names; `wine` names `red wine` too."""
    gone = [
        item
        for item in other.complement.items
        for named in fact.complement.items
        if item.head == named.head and named.stems <= item.stems
    ]
    return _unless_all(other, gone) if gone else None


def _unless_all(fact: Fact, gone: Iterable[Item]) -> tuple[Item, ...]:
    """The things in their order; () if those are all of the fact's."""
    named = set(gone)
    found = tuple(item for item in fact.complement.items if item in named)
    return () if len(found) == len(fact.complement.items) else found
