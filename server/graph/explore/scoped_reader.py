"""Reads the graph within a scope.

In Neo4j, every memory of a graph space can join names and end relations. So Neo4j answers only for
a scope that includes the whole space: a user and nothing else. In any other scope, such as a run of
an agent, that would reveal memories outside of the scope. There the graph is computed from the
scope's own memories, by the same rules.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import datetime
from typing import Final

from server.core.background import in_thread_if_many
from server.core.clock import Clock
from server.core.errors import FieldViolation, InvalidRequest
from server.core.values import Page
from server.graph.explore.computed_space import ComputedSpace, relations_of, spaces_of
from server.graph.explore.traversal import explore
from server.graph.model import EntityCursor, EntityRef, KnownEntity, StatedRelation, relation_name
from server.graph.names import match_score
from server.graph.ports import (
    NEWEST_MEMORIES,
    EntityPage,
    EntityQuery,
    FoundEntity,
    GraphReader,
    GraphScope,
    RelationQuery,
    Surroundings,
)
from server.memories.memory import ListOrder, today
from server.memories.ports import MemoryStore
from server.memories.queries import ListQuery
from server.memories.scope import Scope

MOST_MEMORIES: Final = 10_000
"""The maximum number of memories for which a graph is computed."""


class SpacesReader:
    """Implements `GraphReader` for graphs that are computed in memory.

    `spaces` returns the graphs of a scope: its part of each graph space that it has memories in.
    """

    def __init__(self, spaces: Callable[[str, Scope], Awaitable[Sequence[ComputedSpace]]]) -> None:
        self._spaces = spaces

    async def list_relations(self, query: RelationQuery) -> list[StatedRelation]:
        spaces = await self._spaces(query.within.project_id, query.within.scope)
        relation = None if query.relation is None else relation_name(query.relation)
        found = (
            each
            for each in relations_of(spaces, query.entity)
            if _holds(each, query.within.holding_at)
            and relation in (None, each.relation.relation)
            and (query.after is None or each.is_after(query.after))
        )
        return list(found)[: query.limit]

    async def find_entities(self, within: GraphScope, name: str) -> list[FoundEntity]:
        spaces = await self._spaces(within.project_id, within.scope)
        named = ((space, space.named(name)) for space in spaces)
        found = [_found(space, known.ref.key) for space, known in named if known is not None]
        newest_first = sorted(found, key=lambda each: str(each.memory_ids[0]), reverse=True)
        own = within.scope.graph_space()
        return sorted(newest_first, key=lambda each: each.known.ref.space != own)

    async def list_entities(self, query: EntityQuery) -> EntityPage:
        spaces = await self._spaces(query.within.project_id, query.within.scope)
        entities = [_found(space, key) for space in spaces for key in space.mentioned_by]
        entities.sort(key=_place)
        return _matches(entities, query) if query.words else _in_order(entities, query)

    async def explore(self, within: GraphScope, start: EntityRef, hops: int) -> Surroundings:
        for space in await self._spaces(within.project_id, within.scope):
            if space.name == start.space:
                holding = (each for each in space.relations if _holds(each, within.holding_at))
                relations, truncated = explore(holding, start.key, hops)
                return Surroundings(_ends(space, start.key, relations), relations, truncated)
        return Surroundings({}, [], truncated=False)


class ScopedGraphReader:
    """Implements `GraphReader`: with Neo4j for whole users, else from memories.

    In addition to the port's errors, its methods raise StoreUnavailable if PostgreSQL cannot be
    read, and InvalidRequest if a scope other than a whole user has more than `MOST_MEMORIES`
    memories with entities.
    """

    def __init__(self, whole: GraphReader, store: MemoryStore, clock: Clock) -> None:
        self._whole = whole
        self._store = store
        self._clock = clock
        self._parts = SpacesReader(self._spaces)

    async def list_relations(self, query: RelationQuery) -> list[StatedRelation]:
        return await self._of(query.within.scope).list_relations(query)

    async def find_entities(self, within: GraphScope, name: str) -> list[FoundEntity]:
        return await self._of(within.scope).find_entities(within, name)

    async def list_entities(self, query: EntityQuery) -> EntityPage:
        return await self._of(query.within.scope).list_entities(query)

    async def explore(self, within: GraphScope, start: EntityRef, hops: int) -> Surroundings:
        return await self._of(within.scope).explore(within, start, hops)

    def _of(self, scope: Scope) -> GraphReader:
        return self._whole if scope.sees_whole_spaces() else self._parts

    async def _spaces(self, project_id: str, scope: Scope) -> list[ComputedSpace]:
        """Returns the scope's part of each graph space that it has memories in."""
        return await computed_spaces(
            self._store,
            project_id,
            scope,
            self._clock.now(),
            FieldViolation("user_id", _TOO_MANY),
            is_past=False,
        )


_TOO_MANY: Final = (
    f"the scope has more than {MOST_MEMORIES} memories with entities; name only a user, or a "
    "smaller scope"
)


async def computed_spaces(
    store: MemoryStore,
    project_id: str,
    scope: Scope,
    time: datetime,
    too_many: FieldViolation,
    *,
    is_past: bool,
) -> list[ComputedSpace]:
    """Returns the graphs of a scope's memories, with names split by operators, as of `time`.

    Unless `is_past`, `time` is now, and the current memories are read.

    Raises:
        InvalidRequest: the scope has more than `MOST_MEMORIES`; `too_many` says so.
        StoreUnavailable: the memories cannot be read.
    """
    query = ListQuery(
        project_id,
        scope,
        MOST_MEMORIES + 1,
        ListOrder.NEWEST_FIRST,
        visible_on=today(time),
        with_entities=not is_past,
        time=time if is_past else None,
    )
    memories = await store.list(query)
    if len(memories) > MOST_MEMORIES:
        raise InvalidRequest([too_many])
    names = sorted({memory.scope.graph_space() for memory in memories})
    splits = await store.splits(project_id, names, time)
    return await in_thread_if_many(len(memories), spaces_of, memories, splits)


def _holds(stated: StatedRelation, time: datetime | None) -> bool:
    return time is None or stated.holds_at(time)


def _found(space: ComputedSpace, key: str) -> FoundEntity:
    newest_first = sorted(space.mentioned_by[key], reverse=True)
    return FoundEntity(space.known(key), newest_first[:NEWEST_MEMORIES])


def _ends(
    space: ComputedSpace, start: str, relations: Iterable[StatedRelation]
) -> dict[str, KnownEntity]:
    ends = {end for each in relations for end in (each.source_key, each.target_key)}
    return {key: space.known(key) for key in ends | {start} if key in space.entities}


def _place(found: FoundEntity) -> tuple[str, str]:
    return found.known.ref.space, found.known.ref.key


def _in_order(entities: Sequence[FoundEntity], query: EntityQuery) -> EntityPage:
    after = query.after or EntityCursor()
    rest = [each for each in entities if _place(each) > (after.space, after.key)]
    page = rest[: query.limit]
    more = len(rest) > len(page)
    return Page(page, EntityCursor(*_place(page[-1])) if more else None)


def _matches(entities: Iterable[FoundEntity], query: EntityQuery) -> EntityPage:
    scored = ((match_score(query.words, each.known.entity), each) for each in entities)
    matching = sorted((pair for pair in scored if pair[0]), key=lambda pair: -pair[0])
    skipped = query.after.skipped if query.after else 0
    end = skipped + query.limit
    page = [each for _, each in matching[skipped:end]]
    return Page(page, EntityCursor(skipped=end) if end < len(matching) else None)
