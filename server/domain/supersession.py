"""Which relations hold now: a functional relation has one value at a time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

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
