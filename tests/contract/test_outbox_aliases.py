"""The aliases that memories state, and the memories that they affect, on PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import pytest

from server.core.clock import Clock
from server.graph.model import Entity, MemorySubgraph
from server.graph.project.ports import Outbox
from server.memories.changes import Deletion
from server.memories.ports import MemoryStore
from server.memories.scope import Scope
from server.storage.postgres.outbox import PostgresOutbox
from server.storage.postgres.pool import Database
from tests.support.builders import ALICE, NewMemory, addition, call, change_set

LEASE = timedelta(minutes=1)
ROBERT = Entity("Robert Smith", "person", aliases=("Bob",))
BOB = Entity("Bob")


@pytest.fixture
def outbox(database: Database) -> Outbox:
    return PostgresOutbox(database, Clock())


async def mention(
    store: MemoryStore, text: str, *entities: Entity, scope: Scope = ALICE
) -> NewMemory:
    new_call = call(scope=scope)
    item = addition(new_call, text, entities=entities)
    await store.commit(change_set(new_call, [], [item]))
    return item


async def remove(store: MemoryStore, item: NewMemory) -> None:
    await store.commit(change_set(call(), deleted=[Deletion(item.memory.id, 1)]))


async def projected(outbox: Outbox) -> list[Sequence[MemorySubgraph]]:
    """The batches in which the outbox is emptied."""
    batches: list[Sequence[MemorySubgraph]] = []
    while claimed := await outbox.claim(10, LEASE):
        batches.append(await outbox.subgraphs(claimed))
        await outbox.settle(claimed)
    return batches


def joined(batch: Sequence[MemorySubgraph]) -> dict[str, str]:
    return {key: name for subgraph in batch for key, name in subgraph.joined.items()}


async def test_an_alias_applies_to_memories_that_mention_it_while_it_is_stated(
    store: MemoryStore, outbox: Outbox
) -> None:
    early = await mention(store, "Bob likes tea", BOB)
    await mention(store, "Anna likes tea", Entity("Anna"))
    assert [joined(batch) for batch in await projected(outbox)] == [{}]

    stating = await mention(store, "Robert Smith is called Bob", ROBERT)
    first, second = await projected(outbox)
    assert [s.memory_id for s in first] == [stating.memory.id]
    assert dict(first[0].aliases) == {"robert smith": ("Bob",)}
    # The memory that states the alias is projected again too.
    assert {s.memory_id for s in second} == {early.memory.id, stating.memory.id}
    assert joined(second) == {"bob": "robert smith"}

    late = await mention(store, "Bob likes cake", BOB)
    [batch] = await projected(outbox)
    assert joined(batch) == {"bob": "robert smith"}

    await remove(store, stating)
    first, second = await projected(outbox)
    assert [s.exists for s in first] == [False]
    assert {s.memory_id for s in second} == {early.memory.id, late.memory.id}
    assert joined(second) == {}


async def test_aliases_stay_in_their_space(store: MemoryStore, outbox: Outbox) -> None:
    carol = Scope(user_id="carol")
    await mention(store, "Robert Smith is called Bob", ROBERT)
    await mention(store, "Bob likes tea", BOB, scope=carol)
    await mention(store, "Bob likes tea too", BOB, scope=Scope("alice", agent_id="helper"))
    subgraphs = {s.scope: s for batch in await projected(outbox) for s in batch}
    assert not subgraphs[carol].joined
    assert dict(subgraphs[Scope("alice", agent_id="helper")].joined) == {"bob": "robert smith"}


async def test_alias_changes_of_a_dead_projector_are_processed(
    store: MemoryStore, outbox: Outbox, database: Database
) -> None:
    early = await mention(store, "Bob likes tea", BOB)
    await projected(outbox)
    await mention(store, "Robert Smith is called Bob", ROBERT)
    await outbox.subgraphs(await outbox.claim(10, LEASE))
    async with database.connection() as connection:
        await connection.execute("DELETE FROM graph_outbox")
        await connection.execute(
            "INSERT INTO entity_alias_changes (project_id, space, change_id, keys) "
            "VALUES ('project-1', 'user:alice', gen_random_uuid(), '[\"bob\"]')"
        )
    assert await outbox.enqueue_overdue() == 1
    assert await outbox.enqueue_overdue() == 0
    [batch] = await projected(outbox)
    assert [s.memory_id for s in batch] == [early.memory.id]


async def test_one_batch_stores_aliases_of_several_spaces(
    store: MemoryStore, outbox: Outbox
) -> None:
    bob = Scope(user_id="bob")
    robin = Entity("Robin Hood", aliases=("Bob",))
    items = [
        await mention(store, "Robert Smith is called Bob", ROBERT),
        await mention(store, "Robert Smith is called Bob too", ROBERT),
        await mention(store, "Robin Hood is called Bob", robin, scope=bob),
        await mention(store, "Bob likes tea", BOB, scope=bob),
    ]
    first, *_ = await projected(outbox)
    by_memory = {subgraph.memory_id: subgraph for subgraph in first}
    assert [dict(by_memory[item.memory.id].aliases) for item in items] == [
        {"robert smith": ("Bob",)},
        {"robert smith": ("Bob",)},
        {"robin hood": ("Bob",)},
        {"robin hood": ("Bob",)},
    ]

    # Alice's alias is still stated by one of two memories; Bob's is stated by none.
    await remove(store, items[0])
    await remove(store, items[2])
    *_, last = await projected(outbox)
    assert joined(last) == {}
    await mention(store, "Bob likes cake", BOB)
    await mention(store, "Bob likes cake", BOB, scope=bob)
    [batch] = await projected(outbox)
    assert [dict(subgraph.joined) for subgraph in batch] == [{"bob": "robert smith"}, {}]
