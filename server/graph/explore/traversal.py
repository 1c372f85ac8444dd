"""Follows relations: the neighbourhood of an entity, and paths between two."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from server.graph.model import StatedRelation, newest_first

Adjacency = Mapping[str, Sequence[tuple[str, StatedRelation]]]
"""The neighbours of each entity by key, each with the relation that leads there."""

FAN_OUT: Final = 100
"""The maximum number of relations of an entity to follow; the newest are followed."""

MOST_RELATIONS: Final = 1000
"""The maximum number of relations that an exploration returns."""


def explore(
    relations: Iterable[StatedRelation], start: str, hops: int
) -> tuple[list[StatedRelation], bool]:
    """Returns the relations within `hops` of the start, and whether there were more.

    Neo4j is read within the same limits: see `server.storage.neo4j.exploring`.
    """
    by_entity: dict[str, list[StatedRelation]] = {}
    for stated in newest_first(relations):
        for key in {stated.source_key, stated.target_key}:
            by_entity.setdefault(key, []).append(stated)
    found: dict[StatedRelation, None] = {}
    seen, frontier, truncated = {start}, [start], False
    for _ in range(hops):
        truncated = truncated or any(len(by_entity.get(key, ())) > FAN_OUT for key in frontier)
        reached = newest_first({r for key in frontier for r in by_entity.get(key, ())[:FAN_OUT]})
        new = [stated for stated in reached if stated not in found]
        limit = MOST_RELATIONS - len(found)
        truncated = truncated or len(new) > limit
        found.update(dict.fromkeys(new[:limit]))
        ends = (end for r in new[:limit] for end in (r.source_key, r.target_key))
        frontier = [end for end in dict.fromkeys(ends) if end not in seen]
        seen.update(frontier)
    return list(found), truncated


def within_hops(
    relations: Iterable[StatedRelation], start: str, hops: int
) -> tuple[dict[str, int], list[StatedRelation]]:
    """Returns the entities within `hops` of the start with distances, and their relations.

    Both are ordered by distance; relations of equal distance are ordered by `newest_first`.
    """
    known = newest_first(dict.fromkeys(relations))
    distances = distances_from(adjacency(known), start, hops)
    near = [r for r in known if _distance(r, distances, hops) < hops]
    near.sort(key=lambda r: _distance(r, distances, hops))
    return distances, near


def shortest_paths(
    relations: Iterable[StatedRelation], source: str, target: str, max_length: int, limit: int
) -> list[list[StatedRelation]]:
    """Returns up to `limit` paths from source to target, shortest first, without cycles.

    An entity has no path to itself. Of several relations between two entities, a path contains the
    newest.
    """
    if source == target:
        return []
    around = adjacency(_newest_of_pairs(relations))
    to_target = distances_from(around, target, max_length)
    found: list[list[StatedRelation]] = []
    waiting: deque[tuple[tuple[str, ...], tuple[StatedRelation, ...]]] = deque([((source,), ())])
    # Follows only branches that can still reach the target, so that the work is nearly proportional
    # to the result.
    steps = limit * _STEPS_PER_PATH
    while waiting and len(found) < limit and steps > 0:
        visited, path = waiting.popleft()
        steps -= 1
        if visited[-1] == target:
            found.append(list(path))
            continue
        for neighbour, relation in around.get(visited[-1], ()):
            remaining = to_target.get(neighbour)
            if neighbour in visited or remaining is None or len(path) + 1 + remaining > max_length:
                continue
            waiting.append(((*visited, neighbour), (*path, relation)))
    return found


_STEPS_PER_PATH = 2000


def adjacency(relations: Iterable[StatedRelation]) -> Adjacency:
    """Returns the relations by the entities at their ends, except from an entity to itself."""
    around: dict[str, list[tuple[str, StatedRelation]]] = {}
    for stated in relations:
        if stated.source_key != stated.target_key:
            around.setdefault(stated.source_key, []).append((stated.target_key, stated))
            around.setdefault(stated.target_key, []).append((stated.source_key, stated))
    return around


def distances_from(around: Adjacency, start: str, hops: int) -> dict[str, int]:
    """Returns the distance of each entity within `hops` of the start, nearest first."""
    distances = {start: 0}
    waiting = deque([start])
    while waiting:
        key = waiting.popleft()
        if distances[key] == hops:
            break
        for neighbour, _ in around.get(key, ()):
            if neighbour not in distances:
                distances[neighbour] = distances[key] + 1
                waiting.append(neighbour)
    return distances


def _distance(stated: StatedRelation, distances: Mapping[str, int], far: int) -> int:
    return min(distances.get(stated.source_key, far), distances.get(stated.target_key, far))


def _newest_of_pairs(relations: Iterable[StatedRelation]) -> list[StatedRelation]:
    newest: dict[frozenset[str], StatedRelation] = {}
    for stated in sorted(relations, key=lambda r: (r.event_time, r.memory_id)):
        newest[frozenset((stated.source_key, stated.target_key))] = stated
    return sorted(newest.values(), key=lambda r: (r.event_time, r.memory_id), reverse=True)
