"""Decides which relations hold now, and how a change of a memory affects its relations."""

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
        "school_year",
        "spouse_of",
        "weighs",
        "works_at",
    }
)
"""Functional relations: a subject has one value at a time, and a later relation supersedes an
earlier one of the same subject in the same graph space. All others accumulate, except for
favourites."""

FUNCTIONAL_PREFIXES = ("favorite_", "favourite_")
"""Prefixes of further functional relations."""


def is_functional(relation: str) -> bool:
    """Whether a subject has one value of the relation at a time, such as a favourite colour."""
    return relation in FUNCTIONAL_RELATIONS or relation.startswith(FUNCTIONAL_PREFIXES)


@dataclass(frozen=True, slots=True)
class Holding:
    """A memory's statement that a functional relation has a value from `valid_from` on."""

    memory_id: str
    target: str
    valid_from: datetime


def superseded_at(holdings: Iterable[Holding]) -> dict[Holding, datetime | None]:
    """Returns when each holding of one subject and relation ends; None if it still holds.

    Memories are ordered by time, then by id. A holding ends with the first later memory that states
    another value but not this one. Values stated by one memory hold together. The result depends
    only on the holdings, not on their order.
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
    """A relation that was added, was deleted, or has a new target."""

    relation: Relation
    event: EventType


def changed_relations(
    before: Sequence[Relation], after: Sequence[Relation]
) -> list[ChangedRelation]:
    """Returns the changed relations: first the relations stated now, in order, then deleted ones.

    If a relation replaces another with the same source and kind but another target, this is one
    UPDATE, without a deletion. Unchanged relations are not reported.
    """
    unchanged = {r.identity for r in before} & {r.identity for r in after}
    deleted = [r for r in before if r.identity not in unchanged]
    changed: list[ChangedRelation] = []
    for relation in after:
        if relation.identity in unchanged:
            continue
        replaced = next((r for r in deleted if r.subject == relation.subject), None)
        if replaced is not None:
            deleted.remove(replaced)
        changed.append(
            ChangedRelation(relation, EventType.ADD if replaced is None else EventType.UPDATE)
        )
    return changed + [ChangedRelation(relation, EventType.DELETE) for relation in deleted]
