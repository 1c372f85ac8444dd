"""The result of the projection in the database, node by node."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from neo4j import AsyncDriver, AsyncManagedTransaction, Record

from server.graph.model import Entity, MemorySubgraph, Relation
from server.memories.scope import Scope
from server.storage.neo4j import projection, rows
from server.storage.neo4j.audit import Neo4jGraphAudit
from server.storage.neo4j.graph import Neo4jGraph
from server.storage.neo4j.projection import OF_NO_PROJECT
from tests.integration.neo4j.contents import expected_contents, read_contents
from tests.support.subgraphs import ALICE, NOON, PROJECT, gone, memory_id, stating

WORKS = ("Alice", "works_at", "Acme")
KNOWS = ("Alice", "knows", "Bob")

scopes = st.sampled_from([ALICE, Scope(user_id="alice", agent_id="a"), Scope(agent_id="alice")])
entities = st.builds(
    Entity, st.sampled_from(["Ann", "ANN", "ann", "Bo", "bo"]), st.sampled_from(["", "person"])
)
relations = st.builds(Relation, entities, st.sampled_from(["knows", "likes"]), entities)


@st.composite
def histories(draw: st.DrawFn) -> list[MemorySubgraph]:
    """States of a few memories, oldest first; the last ones may be deletions."""
    scope_of = [draw(scopes) for _ in range(4)]
    return [
        MemorySubgraph(
            project_id=PROJECT,
            memory_id=memory_id(number),
            exists=True,
            version=version,
            scope=scope_of[number],
            entities=draw(st.lists(entities, max_size=2)),
            relations=draw(st.lists(relations, max_size=2)),
            event_time=NOON + timedelta(minutes=version),
        )
        for version, number in enumerate(draw(st.lists(st.integers(0, 3), max_size=8)), start=1)
    ]


def last_states(history: list[MemorySubgraph]) -> dict[str, MemorySubgraph]:
    return {str(state.memory_id): state for state in history}


async def empty(driver: AsyncDriver) -> None:
    await driver.execute_query("MATCH (n) DETACH DELETE n")


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(history=histories(), order=st.randoms(use_true_random=False), deleted=st.integers(0, 4))
async def test_the_graph_is_a_function_of_the_last_states(
    graph: Neo4jGraph,
    neo4j_driver: AsyncDriver,
    history: list[MemorySubgraph],
    order: random.Random,
    deleted: int,
) -> None:
    """Regardless of the order, the batches and the repetitions of states."""
    await empty(neo4j_driver)
    final = last_states(history)
    arrivals = history + order.sample(history, k=min(len(history), 3))
    order.shuffle(arrivals)
    while arrivals:
        size = order.randint(1, 3)
        await graph.project(arrivals[:size])
        arrivals = arrivals[size:]
    final |= last_states([gone(number) for number in range(deleted)])
    await graph.project([gone(number) for number in range(deleted)])
    assert await read_contents(neo4j_driver) == expected_contents(final.values())


async def test_an_entity_goes_with_the_last_memory_that_names_it(
    graph: Neo4jGraph, neo4j_driver: AsyncDriver
) -> None:
    mentioning = stating(1, entities=[Entity("Oslo")])
    await graph.project([mentioning, stating(2, WORKS)])
    changed = [replace(mentioning, entities=[Entity("Acme")], version=2), gone(2)]
    await graph.project(changed)
    assert await read_contents(neo4j_driver) == expected_contents(changed)
    await graph.project([gone(1)])
    assert await read_contents(neo4j_driver) == expected_contents([])


async def test_concurrent_projections_leave_no_orphan_and_no_duplicate(
    graph: Neo4jGraph, neo4j_driver: AsyncDriver
) -> None:
    """Eight writers create and remove the same entities, so that each is often the last one."""
    names = [f"Entity {n}" for n in range(8)]
    last: dict[str, MemorySubgraph] = {}

    async def write(writer: int) -> None:
        chance = random.Random(writer)
        for version in range(1, 16):
            numbers = chance.sample(range(writer, writer + 4), k=2)
            batch = [
                gone(number)
                if chance.random() < 0.5
                else stating(
                    number, (chance.choice(names), "knows", chance.choice(names)), version=version
                )
                for number in numbers
            ]
            await graph.project(batch)
            last.update(last_states(batch))

    await asyncio.gather(*(write(writer) for writer in range(0, 80, 10)))
    assert await read_contents(neo4j_driver) == expected_contents(last.values())


async def test_projections_of_the_same_memories_agree(
    graph: Neo4jGraph, neo4j_driver: AsyncDriver
) -> None:
    """Two projectors that claimed the same memories despite leases end with the newest state."""
    states = [
        [stating(number, (f"V{version}", "is", "X"), version=version) for number in range(5)]
        for version in range(1, 9)
    ]
    await asyncio.gather(*(graph.project(batch) for batch in states))
    assert await read_contents(neo4j_driver) == expected_contents(states[-1])


async def test_a_projection_changes_no_other_project(
    graph: Neo4jGraph, neo4j_driver: AsyncDriver
) -> None:
    other = stating(1, KNOWS, project_id="project-2")
    await graph.project([stating(1, KNOWS), other])
    await graph.project([gone(1)])
    assert await read_contents(neo4j_driver) == expected_contents([other])


async def test_a_value_too_long_for_an_index_is_refused_and_leaves_nothing(
    graph: Neo4jGraph, neo4j_driver: AsyncDriver
) -> None:
    endless = stating(2, KNOWS, scope=Scope(user_id="u" * 9_000))
    with pytest.raises(ValueError, match="refuses"):
        await graph.project([stating(1, WORKS), endless])
    assert await read_contents(neo4j_driver) == expected_contents([])


async def test_the_schema_has_a_key_for_every_merge(
    graph: Neo4jGraph, neo4j_driver: AsyncDriver
) -> None:
    await graph.prepare()
    found, _, _ = await neo4j_driver.execute_query(
        "SHOW CONSTRAINTS YIELD labelsOrTypes, properties, type "
        "RETURN labelsOrTypes[0], properties, type"
    )
    assert sorted(tuple(record.values()) for record in found) == [
        ("Entity", ["project_id", "space", "key"], "UNIQUENESS"),
        ("Memory", ["project_id", "memory_id"], "UNIQUENESS"),
        ("SpaceLock", ["slot"], "UNIQUENESS"),
    ]


async def test_a_rehearsal_runs_the_statements_for_new_memories_and_leaves_nothing(
    graph: Neo4jGraph, neo4j_driver: AsyncDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[str] = []
    run = projection.run

    async def recorded(
        tx: AsyncManagedTransaction, name: str, **items: Sequence[Any]
    ) -> list[rows.Found]:
        ran.extend([name] if any(items.values()) else [])
        return await run(tx, name, **items)

    monkeypatch.setattr(projection, "run", recorded)
    await graph.prepare()
    rehearsed, ran[:] = set(ran), []
    nodes = await neo4j_driver.execute_query("MATCH (n) RETURN count(n) AS number")
    assert nodes.records[0]["number"] == 0
    await graph.project([stating(1, WORKS)])
    assert set(ran) == rehearsed


async def test_a_rehearsal_that_commits_leaves_nothing(
    graph: Neo4jGraph, neo4j_driver: AsyncDriver
) -> None:
    await graph.project([stating(1, WORKS)])
    await neo4j_driver.execute_query("CREATE (:Memory {project_id: $none})", none=OF_NO_PROJECT)
    assert await Neo4jGraphAudit(neo4j_driver).projects() == [PROJECT]
    await neo4j_driver.execute_query("MATCH (m:Memory {project_id: $none}) DELETE m", none="")
    await asyncio.gather(graph.rehearse(), graph.rehearse())
    assert await read_contents(neo4j_driver) == expected_contents([stating(1, WORKS)])


async def test_a_cancelled_rehearsal_leaves_nothing(
    graph: Neo4jGraph, neo4j_driver: AsyncDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    added = asyncio.Event()
    add = projection.add_invented

    async def add_and_hang(_: AsyncManagedTransaction) -> None:
        async with neo4j_driver.session() as session:
            await session.execute_write(add)
        added.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(projection, "add_invented", add_and_hang)
    rehearsal = asyncio.create_task(graph.rehearse())
    await asyncio.wait_for(added.wait(), 30)
    rehearsal.cancel()
    with pytest.raises(asyncio.CancelledError):
        await rehearsal
    assert await read_contents(neo4j_driver) == expected_contents([])


async def test_a_projection_waits_for_another_in_the_same_space_and_shows_its_calls(
    graph: Neo4jGraph, neo4j_driver: AsyncDriver
) -> None:
    await graph.project([stating(1, WORKS)])
    holder = neo4j_driver.session()
    transaction = await holder.begin_transaction()
    await transaction.run("MATCH (lock:SpaceLock) SET lock.slot = lock.slot")
    waiting = asyncio.create_task(graph.project([stating(2, KNOWS), stating(3, KNOWS)]))
    async with asyncio.timeout(30):
        metadata = await one_blocked_transaction(neo4j_driver)
    assert metadata == {"app": "memoir", "correlation_ids": ["call-2", "call-3"]}
    assert not waiting.done()
    await transaction.rollback()
    await holder.close()
    await waiting
    expected = expected_contents([stating(1, WORKS), stating(2, KNOWS), stating(3, KNOWS)])
    assert await read_contents(neo4j_driver) == expected


async def one_blocked_transaction(driver: AsyncDriver) -> dict[str, object]:
    """The metadata of a transaction that waits for a lock, as soon as there is one."""
    async for record in repeated(driver, "SHOW TRANSACTIONS YIELD metaData, status"):
        if record["status"].startswith("Blocked"):
            return dict(record["metaData"])
    raise AssertionError


async def repeated(driver: AsyncDriver, statement: str) -> AsyncIterator[Record]:
    """The rows of a statement that is run repeatedly."""
    while True:
        for record in (await driver.execute_query(statement)).records:
            yield record


async def test_what_a_cut_off_preparation_left_behind_is_mended(
    graph: Neo4jGraph, neo4j_driver: AsyncDriver
) -> None:
    await neo4j_driver.execute_query("DROP CONSTRAINT entity_key")
    await neo4j_driver.execute_query(
        "CREATE INDEX entity_key FOR (e:Entity) ON (e.project_id, e.space, e.key)"
    )
    await graph.prepare()
    found = await neo4j_driver.execute_query(
        "SHOW CONSTRAINTS YIELD name WHERE name = 'entity_key'"
    )
    assert len(found.records) == 1
