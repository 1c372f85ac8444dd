"""The port `GraphAudit` on Neo4j: finds differences between the graph and the memories."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar
from uuid import UUID

from neo4j import AsyncDriver, AsyncManagedTransaction, Record, unit_of_work

from server.graph.mentions import Mention
from server.graph.model import DifferenceKind, MemorySubgraph
from server.memories.scope import Scope
from server.storage.neo4j import projection, rows
from server.storage.neo4j.calls import DATABASE, bounded_call, transaction_metadata
from server.storage.neo4j.projection import wrong_ends
from server.storage.neo4j.rows import (
    Difference,
    RelationEdge,
    difference,
    wanted_mentions,
    wanted_relations,
)
from server.storage.neo4j.terms import given, space_lock_slot
from server.storage.statements import load_cypher

EdgeT = TypeVar("EdgeT", Mention, RelationEdge)

_State = tuple[int | None, Scope]


def _node_differences(subgraph: MemorySubgraph, state: _State | None) -> Counter[DifferenceKind]:
    if state is None:
        return Counter([DifferenceKind.MEMORY_MISSING] if subgraph.exists else [])
    if not subgraph.exists:
        return Counter([DifferenceKind.MEMORY_UNEXPECTED])
    equal = state == (subgraph.version, subgraph.scope)
    return Counter([] if equal else [DifferenceKind.MEMORY_DIFFERS])


def _edge_differences(
    found: Difference[EdgeT],
    missing: DifferenceKind,
    unexpected: DifferenceKind,
) -> Counter[DifferenceKind]:
    return +Counter({missing: len(found.added), unexpected: len(found.removed)})


def _by_memory(stored: Iterable[tuple[str, EdgeT]]) -> dict[str, list[tuple[str, EdgeT]]]:
    found: dict[str, list[tuple[str, EdgeT]]] = {}
    for element_id, edge in stored:
        found.setdefault(edge.memory_id, []).append((element_id, edge))
    return found


_STATEMENTS = load_cypher(__package__, "audit.cypher")
_CORRELATION_ID = "verify-graph"
_PAGE_SECONDS = 30.0

T = TypeVar("T")
_Work = Callable[[AsyncManagedTransaction], Awaitable[T]]


class Neo4jGraphAudit:
    """Implements `server.graph.ports.GraphAudit`."""

    def __init__(self, driver: AsyncDriver) -> None:
        self._driver = driver

    async def projects(self) -> list[str]:
        records = await self._read("projects", no_project=projection.OF_NO_PROJECT)
        return [record["project_id"] for record in records]

    async def compare(
        self, subgraphs: Sequence[MemorySubgraph]
    ) -> Mapping[UUID, Counter[DifferenceKind]]:
        async def work(tx: AsyncManagedTransaction) -> dict[UUID, Counter[DifferenceKind]]:
            return await _compare(tx, subgraphs)

        return await self._in_transaction(work, write=False)

    async def rewind(self, subgraphs: Sequence[MemorySubgraph]) -> None:
        existing = [rows.memory(s) for s in subgraphs if s.exists]
        await self._write([("rewind", {"memories": existing})], slots=[])

    async def memories(self, project_id: str, page_size: int) -> AsyncIterator[list[UUID]]:
        async for page in self._pages("memory_page", project_id, page_size, "memory_id"):
            yield [UUID(record["memory_id"]) for record in page]

    async def flaws(
        self, project_id: str, page_size: int, *, repair: bool
    ) -> AsyncIterator[Counter[DifferenceKind]]:
        async for page in self._pages("stray_page", project_id, page_size, "memory_id"):
            yield await self._stray_relations(project_id, page, repair=repair)
        space, key = "", ""
        while page := await self._read(
            "entity_page", project_id=project_id, space=space, key=key, page_size=page_size
        ):
            space, key = page[-1]["space"], page[-1]["key"]
            yield await self._wrong_entities(project_id, page, repair=repair)
        async for page in self._pages("slot_page", project_id, page_size, "slot"):
            yield await self._wrong_ends(project_id, page, repair=repair)

    async def _stray_relations(
        self, project_id: str, page: Sequence[Record], *, repair: bool
    ) -> Counter[DifferenceKind]:
        strays = [record["memory_id"] for record in page if not record["known"]]
        if strays and repair:
            await self._write(
                [("remove_strays", {"project_id": project_id, "memory_ids": strays})], slots=[]
            )
        return Counter({DifferenceKind.RELATION_OF_NO_MEMORY: len(strays)})

    async def _wrong_entities(
        self, project_id: str, page: Sequence[Record], *, repair: bool
    ) -> Counter[DifferenceKind]:
        orphans = [record for record in page if record["rank"] is None]
        named = [record for record in page if record["rank"] is not None]
        wrong = [r for r in named if not r["is_right"] or projection.wrong_names([r])]
        if repair and (orphans or wrong):
            slots = {space_lock_slot(project_id, r["space"]) for r in (*orphans, *wrong)}
            await self._write(
                [
                    ("rename", {"element_ids": [r["element_id"] for r in wrong]}),
                    ("remove_unmentioned", {"element_ids": [r["element_id"] for r in orphans]}),
                ],
                sorted(slots),
                renamed=wrong,
            )
        return Counter(
            {
                DifferenceKind.ENTITY_UNMENTIONED: len(orphans),
                DifferenceKind.ENTITY_MISNAMED: len(wrong),
            }
        )

    async def _wrong_ends(
        self, project_id: str, page: Sequence[Record], *, repair: bool
    ) -> Counter[DifferenceKind]:
        slots = sorted({record["slot"] for record in page})
        locks = sorted({space_lock_slot(project_id, record["space"]) for record in page})

        async def work(tx: AsyncManagedTransaction) -> int:
            if repair:
                await projection.run(tx, "lock_spaces", slots=locks)
            ends = wrong_ends(await projection.run(tx, "slot_relations", slots=slots))
            if repair:
                await projection.run(tx, "supersede", ends=ends)
            return len(ends)

        wrong = await self._in_transaction(work, write=repair)
        return Counter({DifferenceKind.RELATION_ENDS_WRONGLY: wrong})

    async def _pages(
        self, name: str, project_id: str, page_size: int, key: str
    ) -> AsyncIterator[list[Record]]:
        after = ""
        while page := await self._read(
            name, project_id=project_id, after=after, page_size=page_size
        ):
            after = page[-1][key]
            yield page

    async def _read(self, name: str, **parameters: object) -> list[Record]:
        async def work(tx: AsyncManagedTransaction) -> list[Record]:
            result = await tx.run(_STATEMENTS[name], given(parameters))
            return [record async for record in result]

        return await self._in_transaction(work, write=False)

    async def _write(
        self,
        statements: Sequence[tuple[str, dict[str, Any]]],
        slots: Sequence[int],
        renamed: Sequence[Record] = (),
    ) -> None:
        async def work(tx: AsyncManagedTransaction) -> None:
            await projection.run(tx, "lock_spaces", slots=slots)
            for name, parameters in statements:
                await (await tx.run(_STATEMENTS[name], given(parameters))).consume()
            await projection.reindex(tx, renamed)

        await self._in_transaction(work, write=True)

    async def _in_transaction(self, work: _Work[T], *, write: bool) -> T:
        bound = unit_of_work(
            metadata=transaction_metadata([_CORRELATION_ID]), timeout=_PAGE_SECONDS
        )(work)
        async with bounded_call(_PAGE_SECONDS), self._driver.session(database=DATABASE) as session:
            if write:
                return await session.execute_write(bound)
            return await session.execute_read(bound)


async def _compare(
    tx: AsyncManagedTransaction, subgraphs: Sequence[MemorySubgraph]
) -> dict[UUID, Counter[DifferenceKind]]:
    """Returns the differences by memory."""
    result = await tx.run(
        _STATEMENTS["memory_nodes"], given({"memories": [rows.memory(s) for s in subgraphs]})
    )
    states: dict[str, _State] = {
        r["memory_id"]: (r["version"], rows.read_scope(r)) async for r in result
    }
    mentions = _by_memory(await projection.stored_mentions(tx, subgraphs))
    relations = _by_memory(await projection.stored_relations(tx, subgraphs))
    found: dict[UUID, Counter[DifferenceKind]] = {}
    for subgraph in subgraphs:
        name = str(subgraph.memory_id)
        kinds = _node_differences(subgraph, states.get(name))
        kinds += _edge_differences(
            difference(wanted_mentions(subgraph), mentions.get(name, [])),
            DifferenceKind.MENTION_MISSING,
            DifferenceKind.MENTION_UNEXPECTED,
        )
        kinds += _edge_differences(
            difference(wanted_relations(subgraph), relations.get(name, [])),
            DifferenceKind.RELATION_MISSING,
            DifferenceKind.RELATION_UNEXPECTED,
        )
        if kinds:
            found[subgraph.memory_id] = kinds
    return found
