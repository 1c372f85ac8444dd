"""Which relations hold now, and what a change of a memory does to those that it states."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from server.graph.model import Relation
from server.memories.memory import EventType

FUNCTIONAL_RELATIONS = frozenset(
    {
        "address",
        "age",
        "based_in",
        "birthday",
        "born_in",
        "email",
        "employed_by",
        "engaged_to",
        "headquartered_in",
        "height",
        "lives_in",
        "located_in",
        "marital_status",
        "married_to",
        "named",
        "phone_number",
        "reports_to",
        "resides_in",
        "spouse_of",
        "weighs",
        "works_at",
    }
)
"""Relations of which a subject has one at a time: a later one supersedes an earlier one of the same
subject in the same graph space. All others accumulate, apart from favourites."""

_FAVORITE = ("favorite_", "favourite_")


def is_functional(relation: str) -> bool:
    """Whether a subject has one value of the relation at a time, such as a favourite colour."""
    return relation in FUNCTIONAL_RELATIONS or relation.startswith(_FAVORITE)


@dataclass(frozen=True, slots=True)
class Holding:
    """That a memory states a value of a functional relation, from `valid_from` on."""

    memory_id: str
    target: str
    valid_from: datetime


def superseded_at(holdings: Iterable[Holding]) -> dict[Holding, datetime | None]:
    """Until when each holds of all that are stated of one subject and relation; None: for now.

    Memories count in the order of their time, then of their ids. One ends with the first later
    memory that states another value and not this one too. What one memory states together holds
    together. It depends on nothing but the holdings, whatever the order in which they became known.
    """
    ordered = sorted(set(holdings), key=lambda h: (h.valid_from, h.memory_id))
    groups = [list(group) for _, group in groupby(ordered, lambda h: (h.valid_from, h.memory_id))]
    ends: dict[Holding, datetime | None] = {}
    for place, group in enumerate(groups):
        for holding in group:
            ends[holding] = _end(holding, groups[place + 1 :])
    return ends


def _end(holding: Holding, later: Sequence[Sequence[Holding]]) -> datetime | None:
    for group in later:
        if all(other.target != holding.target for other in group):
            return group[0].valid_from
    return None


@dataclass(frozen=True, slots=True)
class ChangedRelation:
    """A relation that was added, deleted, or has another target now."""

    relation: Relation
    event: EventType


def changed_relations(
    before: Sequence[Relation], after: Sequence[Relation]
) -> list[ChangedRelation]:
    """What has changed; first what is stated now, in its order, then what is not any more.

    A relation whose source and kind were stated with a target that is gone is an UPDATE of it, and
    that one is not told as deleted besides. What stays as it is, is not told.
    """
    unchanged = {r.identity for r in before} & {r.identity for r in after}
    gone = [r for r in before if r.identity not in unchanged]
    changed: list[ChangedRelation] = []
    for relation in after:
        if relation.identity in unchanged:
            continue
        replaced = next((r for r in gone if r.subject == relation.subject), None)
        if replaced is not None:
            gone.remove(replaced)
        changed.append(
            ChangedRelation(relation, EventType.ADD if replaced is None else EventType.UPDATE)
        )
    return changed + [ChangedRelation(relation, EventType.DELETE) for relation in gone]
