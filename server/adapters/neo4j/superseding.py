"""Until when functional relations hold, as the graph has it and as it should."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime

from server.adapters.neo4j import rows
from server.adapters.neo4j.edges import Statement
from server.domain.supersession import Holding, superseded_at

Ends = dict[Statement, datetime | None]


def ends_beside(
    stored: Sequence[rows.Found], added: Iterable[Statement]
) -> tuple[list[rows.Row], Ends]:
    """What ends when, of rows of `slot_relations` and of what comes to them.

    First what has to be written so that the stored ones end when they should, then the ends of
    those that are added.
    """
    holdings: dict[str, list[Holding]] = defaultdict(list)
    coming = {statement: _stated(statement) for statement in added if statement.slot}
    for statement, holding in coming.items():
        holdings[statement.slot or ""].append(holding)
    there = [(row, _held(row)) for row in stored]
    for row, holding in there:
        holdings[row["slot"]].append(holding)
    right = {slot: superseded_at(some) for slot, some in holdings.items()}
    wrong = [
        rows.edge_end(row, right[row["slot"]][holding])
        for row, holding in there
        if right[row["slot"]][holding] != _end(row)
    ]
    return wrong, {s: right[s.slot or ""][holding] for s, holding in coming.items()}


def wrong_ends(stored: Sequence[rows.Found]) -> list[rows.Row]:
    """What has to be written so that all of some slots end when they should."""
    wrong, _ = ends_beside(stored, ())
    return wrong


def _stated(statement: Statement) -> Holding:
    return Holding(statement.memory_id, statement.target.key, statement.event_time)


def _held(row: rows.Found) -> Holding:
    return Holding(row["memory_id"], row["target"], rows.read_time(row["valid_from"]))


def _end(row: rows.Found) -> datetime | None:
    end = row["superseded_at"]
    return None if end is None else rows.read_time(end)
