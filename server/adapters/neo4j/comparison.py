"""How what the graph holds of memories differs from what it should hold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TypeVar
from uuid import UUID

from neo4j import AsyncManagedTransaction

from server.adapters.neo4j import projection, rows
from server.adapters.neo4j.edges import (
    Difference,
    Statement,
    difference,
    wanted_mentions,
    wanted_statements,
)
from server.adapters.neo4j.parameters import given
from server.domain.graph import MemorySubgraph
from server.domain.graph_differences import DifferenceKind
from server.domain.mentions import Mention
from server.domain.scope import Scope

EdgeT = TypeVar("EdgeT", Mention, Statement)

_State = tuple[int | None, Scope]


async def compare(
    tx: AsyncManagedTransaction, subgraphs: Sequence[MemorySubgraph], memory_nodes: str
) -> dict[UUID, Counter[DifferenceKind]]:
    """The differences of each memory that has some; `memory_nodes` reads their nodes."""
    result = await tx.run(memory_nodes, given({"memories": [rows.memory(s) for s in subgraphs]}))
    states: dict[str, _State] = {
        r["memory_id"]: (r["version"], rows.read_scope(r)) async for r in result
    }
    mentions = _by_memory(await projection.stored_mentions(tx, subgraphs))
    statements = _by_memory(await projection.stored_statements(tx, subgraphs))
    found: dict[UUID, Counter[DifferenceKind]] = {}
    for subgraph in subgraphs:
        name = str(subgraph.memory_id)
        kinds = _of_node(subgraph, states.get(name))
        kinds += _of_edges(
            difference(wanted_mentions(subgraph), mentions.get(name, [])),
            DifferenceKind.MENTION_MISSING,
            DifferenceKind.MENTION_UNEXPECTED,
        )
        kinds += _of_edges(
            difference(wanted_statements(subgraph), statements.get(name, [])),
            DifferenceKind.RELATION_MISSING,
            DifferenceKind.RELATION_UNEXPECTED,
        )
        if kinds:
            found[subgraph.memory_id] = kinds
    return found


def _of_node(subgraph: MemorySubgraph, state: _State | None) -> Counter[DifferenceKind]:
    if state is None:
        return Counter([DifferenceKind.MEMORY_MISSING] if subgraph.exists else [])
    if not subgraph.exists:
        return Counter([DifferenceKind.MEMORY_UNEXPECTED])
    equal = state == (subgraph.version, subgraph.scope)
    return Counter([] if equal else [DifferenceKind.MEMORY_DIFFERS])


def _of_edges(
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
