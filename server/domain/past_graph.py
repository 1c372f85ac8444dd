"""Who related to what by a set of memories: the graph's rules, without a graph.

What the graph holds follows from the memories of a space, so the graph of a past instant follows
from the memories of that instant (see `server.domain.aliases` and `server.domain.supersession`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from server.domain.aliases import Joins, TaughtAlias
from server.domain.graph import StatedRelation, entity_key, newest_first
from server.domain.memory import Memory
from server.domain.supersession import FUNCTIONAL_RELATIONS, Holding, superseded_at


@dataclass(frozen=True, slots=True)
class _Space:
    """The memories of one graph space, and which of their names stand for one entity."""

    memories: Sequence[Memory]
    joins: Joins


def relations_of(memories: Iterable[Memory], entity: str | None = None) -> list[StatedRelation]:
    """All that the memories state, newest event first, in the order of lists of relations.

    With `entity`, only what it is an end of, by name or alias.
    """
    return newest_first(each for space in _spaces(memories) for each in _stated(space, entity))


def _spaces(memories: Iterable[Memory]) -> list[_Space]:
    by_space: dict[str, list[Memory]] = {}
    for memory in memories:
        by_space.setdefault(memory.scope.graph_space(), []).append(memory)
    return [_Space(found, Joins(_taught(found))) for found in by_space.values()]


def _taught(memories: Iterable[Memory]) -> Iterable[TaughtAlias]:
    for memory in memories:
        for entity in memory.entities:
            for alias in entity.aliases:
                yield TaughtAlias(str(memory.id), entity.name, alias)


def _stated(space: _Space, entity: str | None) -> list[StatedRelation]:
    stated = {each: None for memory in space.memories for each in _of_memory(memory, space.joins)}
    ended = _with_ends(list(stated))
    if entity is None:
        return ended
    wanted = space.joins.key(entity_key(entity))
    return [each for each in ended if wanted in (each.source_key, each.target_key)]


def _of_memory(memory: Memory, joins: Joins) -> Iterable[StatedRelation]:
    for relation in memory.relations:
        own = relation.source.key, relation.target.key
        source, target = (joins.key(key) for key in own)
        # Of something with itself, only because its names were joined, it says nothing.
        if source != target or own[0] == own[1]:
            yield StatedRelation(
                relation, memory.id, memory.event_time, source_key=source, target_key=target
            )


def _with_ends(stated: Sequence[StatedRelation]) -> list[StatedRelation]:
    """The same, each with the time until which it held."""
    slots: dict[tuple[str, str], list[StatedRelation]] = {}
    for each in stated:
        if each.relation.relation in FUNCTIONAL_RELATIONS:
            slots.setdefault((each.source_key, each.relation.relation), []).append(each)
    ends = {
        each: end for slot in slots.values() for each, end in zip(slot, _ends(slot), strict=True)
    }
    return [replace(each, superseded_at=ends.get(each)) for each in stated]


def _ends(slot: Sequence[StatedRelation]) -> list[datetime | None]:
    holdings = [Holding(str(s.memory_id), s.target_key, s.event_time) for s in slot]
    ends = superseded_at(holdings)
    return [ends[holding] for holding in holdings]
