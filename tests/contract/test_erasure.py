"""The contract of erasing memories with their history, held on PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from server.core.errors import ConcurrentChange, MemoirError, RequestIdReused
from server.memories.add.proposals import Notice, NoticeReason
from server.memories.change.effects import BLANK
from server.memories.changes import Deletion, Replacement
from server.memories.conversation import StoredMessage
from server.memories.filters.parser import parse_filter
from server.memories.memory import EventType, Evidence, ListOrder, Memory, StreamCursor
from server.memories.ports import MemoryStore
from server.memories.queries import ListQuery
from server.memories.scope import DeletionReceipt, Scope, ScopeKind, StoredDeletion
from server.storage.postgres import memory_changes
from server.storage.postgres.erasing import erase
from server.storage.postgres.outbox import PostgresOutbox
from server.storage.postgres.pool import Database
from tests.support.builders import (
    ALICE,
    LISBON,
    NOW,
    PROJECT,
    adding,
    addition,
    call,
    change_set,
    message,
    revision,
    vector,
)
from tests.support.dump import tables_with
from tests.support.fakes import FakeClock

LATER = NOW + timedelta(hours=1)
CANARY = "kestrel"
SAID = f"My code word is {CANARY}."


async def remembered(
    store: MemoryStore,
    *facts: tuple[str, str],
    said: str = SAID,
    also: Sequence[StoredMessage] = (),
    scope: Scope = ALICE,
    project_id: str = PROJECT,
) -> list[Memory]:
    """Memories of one message, each a text with its quote as evidence."""
    new_call = call(scope=scope, project_id=project_id)
    source = message(said)
    added = [
        addition(new_call, text, evidence=[Evidence(source.id, quote)], metadata={"of": text})
        for text, quote in facts
    ]
    await store.commit(change_set(new_call, [source, *also], added))
    return [item.memory for item in added]


async def contents(database: Database, project_id: str = PROJECT) -> list[str]:
    async with database.connection() as connection:
        rows = await connection.fetch(
            "SELECT content FROM messages JOIN calls USING (project_id, call_id) "
            "WHERE project_id = $1 ORDER BY position, ordinal",
            project_id,
        )
    return [row["content"] for row in rows]


async def test_nothing_of_an_erased_memory_is_left_in_any_table(
    store: MemoryStore, changes: MemoryStore, database: Database
) -> None:
    new_call = call()
    source = message(SAID)
    item = addition(
        new_call,
        f"Alice's code word is {CANARY}",
        metadata={"word": CANARY},
        categories=[CANARY],
        evidence=[Evidence(source.id, SAID)],
        relations=[replace(LISBON, relation=CANARY)],
    )
    await store.commit(change_set(new_call, [source, message(f"{CANARY}, I see.", 1)], [item]))
    later = call(time=LATER)
    await store.commit(
        change_set(later, [message(f"no: {CANARY}2")], updated=[revision(item, f"{CANARY}2")])
    )
    # The same message again: nothing is added, and the message is kept.
    await store.commit(change_set(call(), [message(SAID.rstrip(".").upper())]))
    notice = Notice(NoticeReason.FORGET_UNMATCHED, f"No memory matched 'that {SAID}'.")
    await store.commit(change_set(replace(call(), notices=(notice,))))
    assert await tables_with(database, CANARY) == {
        "calls", "memories", "memory_events", "memory_relations", "messages",
    }  # fmt: skip

    deletion = await changes.erase(call(time=LATER), Deletion(item.memory.id, 2))

    assert deletion.receipt == DeletionReceipt(memories=1, messages=4, events=2, graph_memories=1)
    assert await tables_with(database, CANARY) == set()


async def test_one_event_without_a_state_stays(
    store: MemoryStore, changes: MemoryStore, database: Database
) -> None:
    [memory] = await remembered(store, ("tea", "tea"))
    new_call = replace(
        call(time=LATER, request_id=uuid4(), payload_digest=b"p"), method="DeleteMemory"
    )
    deletion = await changes.erase(new_call, Deletion(memory.id, 1))
    [event] = await store.events(PROJECT, memory.id, 0, 9)
    assert (event.type, event.version) == (EventType.DELETE, 2)
    assert (event.before, event.after, event.scope) == (None, None, ALICE)
    assert event.provenance.call_id == new_call.id
    assert await store.version(PROJECT, memory.id) is None
    assert await store.get(PROJECT, memory.id, None, LATER) is None
    query = ListQuery(PROJECT, ALICE, 9, ListOrder.NEWEST_FIRST, None, time=NOW)
    assert await store.list(query) == []
    assert new_call.request_id is not None
    assert await changes.find_deletion(PROJECT, new_call.request_id, 0) == deletion
    made = await store.get_call(PROJECT, memory.provenance.call_id)
    erased_by = await store.get_call(PROJECT, new_call.id)
    assert made is not None
    assert erased_by is not None
    assert (made.changes, erased_by.changes) == ([], [])
    [other] = await remembered(store, ("coffee", "coffee"))
    with pytest.raises(RequestIdReused):
        await changes.erase(replace(new_call, id=uuid4()), Deletion(other.id, 1))


async def test_only_watchers_of_the_scope_see_the_erasure(
    store: MemoryStore, changes: MemoryStore, database: Database
) -> None:
    [memory] = await remembered(store, ("tea", "tea"))
    start = await store.stream_end()
    await changes.erase(call(), Deletion(memory.id, 1))
    page = await store.stream(PROJECT, ALICE, start, 9)
    assert [(e.event.memory_id, e.event.type) for e in page.events] == [
        (memory.id, EventType.DELETE)
    ]
    assert (await store.stream(PROJECT, Scope(user_id="bob"), start, 9)).events == []
    # A watcher that starts from the beginning sees nothing of the time in between.
    whole = await store.stream(PROJECT, ALICE, StreamCursor(0), 9)
    assert len(whole.events) == 1


async def test_an_erased_memory_leaves_the_graph(
    store: MemoryStore, changes: MemoryStore, database: Database
) -> None:
    outbox = PostgresOutbox(database, FakeClock())
    [memory] = await remembered(store, ("tea", "tea"))
    await outbox.settle(await outbox.claim(9, timedelta(seconds=9)))
    deletion = await changes.erase(call(), Deletion(memory.id, 1))
    [dirty] = await outbox.claim(9, timedelta(seconds=9))
    assert (dirty.memory_id, dirty.position) == (memory.id, deletion.position)
    assert [subgraph.exists for subgraph in await outbox.subgraphs([dirty])] == [False]


async def test_a_message_keeps_the_evidence_of_another_memory(
    store: MemoryStore, changes: MemoryStore, database: Database
) -> None:
    [first, second] = await remembered(
        store, ("tea", "I like tea."), ("Lisbon", "I live in Lisbon."),
        said="I like tea. I live in Lisbon.", also=[message("Noted.", 1)],
    )  # fmt: skip
    deletion = await changes.erase(call(), Deletion(first.id, 1))
    receipt = DeletionReceipt(1, messages=1, events=1, graph_memories=1, redacted_messages=1)
    assert deletion.receipt == receipt
    assert await contents(database) == [f"{BLANK}. I live in Lisbon."]
    await changes.erase(call(), Deletion(second.id, 1))
    assert await contents(database) == []


async def test_a_passage_that_two_memories_share_stays_until_both_are_erased(
    store: MemoryStore, changes: MemoryStore, database: Database
) -> None:
    both = "I live in Lisbon and work at Acme."
    [first, second] = await remembered(store, ("Lisbon", both), ("Acme", both), said=both)
    await changes.delete(call(), Deletion(second.id, 1))
    deletion = await changes.erase(call(), Deletion(first.id, 1))
    assert deletion.receipt.retained_messages == 1
    assert await contents(database) == [both]
    await changes.erase(call(), Deletion(second.id, 2))
    assert await contents(database) == []


async def test_long_phrases_are_blanked_only_in_other_messages_of_the_scope(
    store: MemoryStore, changes: MemoryStore, database: Database
) -> None:
    [memory] = await remembered(store, ("tea", SAID))
    again = f"Again: {SAID.upper().rstrip('.')}! And tea."
    await remembered(store, ("more tea", "And tea."), said=again)
    await remembered(store, ("theirs", SAID), scope=Scope(user_id="bob"))
    await remembered(store, ("theirs", SAID), project_id="project-2")
    await changes.erase(call(), Deletion(memory.id, 1))
    assert await contents(database) == [f"Again: {BLANK}! And tea.", SAID]
    assert await contents(database, "project-2") == [SAID]


async def test_earlier_deletions_are_erased_too(
    store: MemoryStore, changes: MemoryStore, database: Database
) -> None:
    [memory] = await remembered(store, (SAID, SAID))
    await changes.delete(call(), Deletion(memory.id, 1))
    past = await store.version(PROJECT, memory.id)
    assert past is not None
    assert (past.memory, past.last_version) == (memory, 2)
    with pytest.raises(ConcurrentChange):
        await changes.erase(call(), Deletion(memory.id, 1))
    deletion = await changes.erase(call(), Deletion(memory.id, 2))
    assert deletion.receipt == DeletionReceipt(memories=0, messages=1, events=2)
    assert await tables_with(database, CANARY) == set()
    with pytest.raises(ConcurrentChange):
        await changes.erase(call(), Deletion(memory.id, 3))


async def test_the_message_that_had_the_memory_deleted_is_erased_too(
    store: MemoryStore, changes: MemoryStore, database: Database
) -> None:
    [memory] = await remembered(store, (SAID, SAID))
    forget = change_set(
        call(),
        [message(f"Forget {CANARY}, please."), message("And I like tea.", 1)],
        deleted=[Deletion(memory.id, 1)],
    )
    await store.commit(forget)
    await remembered(store, ("tea", "I like tea."), said="I like tea.")
    await changes.erase(call(), Deletion(memory.id, 2))
    assert await contents(database) == ["I like tea."]
    assert await tables_with(database, CANARY) == set()


async def test_failed_operations_keep_no_erased_messages(
    store: MemoryStore, changes: MemoryStore, database: Database
) -> None:
    [memory] = await remembered(store, (SAID, SAID))
    async with database.connection() as connection:
        await connection.execute(
            "INSERT INTO operations (project_id, operation_id, state, scope_key, payload_digest, "
            "payload, output_format, correlation_id) "
            "VALUES ($1, $2, 'FAILED', $3, '', convert_to($4, 'UTF8'), 'v1.1', 'c'), "
            "($1, $5, 'FAILED', $3, '', 'tea', 'v1.1', 'c')",
            PROJECT, uuid4(), ALICE.key(), f"\n{SAID}\n", uuid4(),
        )  # fmt: skip
    await changes.erase(call(), Deletion(memory.id, 1))
    assert await tables_with(database, CANARY) == set()
    assert await tables_with(database, "tea") == {"operations"}


async def test_matching_memories_are_erased_with_the_receipt_of_the_validation(
    store: MemoryStore, database: Database
) -> None:
    await remembered(store, (SAID, SAID))
    await remembered(store, ("tea", "tea"), said="tea")
    filters = parse_filter({"text": {"contains": CANARY}})
    new_call = call(request_id=uuid4())
    preview = await store.delete_memories(new_call, filters, erase=True, validate_only=True)
    assert preview.receipt == DeletionReceipt(memories=1, messages=1, events=1, graph_memories=1)
    assert new_call.request_id is not None
    assert await store.find_deletion(PROJECT, new_call.request_id) is None
    assert "memories" in await tables_with(database, CANARY)
    deletion = await store.delete_memories(new_call, filters, erase=True)
    assert deletion.receipt == preview.receipt
    assert await tables_with(database, CANARY) == set()
    assert await contents(database) == ["tea"]


async def test_validating_a_plain_deletion_deletes_nothing(store: MemoryStore) -> None:
    await remembered(store, ("tea", "tea"), ("coffee", "coffee"))
    preview = await store.delete_memories(call(), validate_only=True)
    assert preview.receipt == DeletionReceipt(memories=2)
    assert (await store.delete_memories(call())).receipt == preview.receipt


async def test_erasing_a_whole_scope_leaves_the_others_alone(
    store: MemoryStore, database: Database
) -> None:
    await store.commit(adding(*(f"{SAID} {n}" for n in range(200))))
    await store.commit(adding(f"{SAID} of Bob", scope=Scope(user_id="bob")))
    deletion = await store.delete_memories(call(), erase=True)
    assert (deletion.receipt.memories, deletion.receipt.messages) == (200, 200)
    assert await contents(database) == [f"{SAID} of Bob"]


async def test_deleting_the_scope_removes_what_its_erasures_left(
    store: MemoryStore, database: Database
) -> None:
    await remembered(store, ("tea", "tea"), scope=Scope(user_id="alice", agent_id="a"))
    await store.delete_memories(call(scope=Scope(agent_id="a")), erase=True)
    assert "memory_events" in await tables_with(database, "alice")
    assert await store.erase_scope(call(scope=Scope()), ScopeKind.USER, "alice") is not None
    assert await tables_with(database, "alice") == set()


async def test_a_memory_that_is_restored_meanwhile_is_not_erased(
    store: MemoryStore, changes: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    [memory] = await remembered(store, ("tea", "tea"))
    await changes.delete(call(), Deletion(memory.id, 1))
    restored = replace(memory, version=3)
    restoration = Replacement(restored, vector(1, 0, 0), restores=1)

    async def erase_after_restoration(*args: Any) -> StoredDeletion:
        await changes.replace(call(), restoration)
        return await erase(*args)

    monkeypatch.setattr(memory_changes, "erase", erase_after_restoration)
    with pytest.raises(ConcurrentChange):
        await changes.erase(call(), Deletion(memory.id, 2))
    present = await store.get(PROJECT, memory.id, None)
    assert present is not None
    assert present.version == 3


async def test_one_of_two_concurrent_changes_of_a_deleted_memory_wins(
    store: MemoryStore, changes: MemoryStore
) -> None:
    [memory] = await remembered(store, ("tea", "tea"))
    await changes.delete(call(), Deletion(memory.id, 1))
    restored = replace(memory, version=3)
    restoration = Replacement(restored, vector(1, 0, 0), restores=1)
    outcomes = await asyncio.gather(
        changes.replace(call(), restoration),
        changes.erase(call(), Deletion(memory.id, 2)),
        changes.replace(call(), restoration),
        return_exceptions=True,
    )
    failed = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
    assert {type(error) for error in failed} == {ConcurrentChange}
    assert isinstance(failed[0], MemoirError)
    assert len(failed) == 2
    present = await store.get(PROJECT, memory.id, None)
    assert (present is None) == isinstance(outcomes[0], BaseException) & isinstance(
        outcomes[2], BaseException
    )


async def test_nothing_crosses_projects(store: MemoryStore, changes: MemoryStore) -> None:
    [theirs] = await remembered(store, ("tea", "tea"), project_id="project-2")
    with pytest.raises(ConcurrentChange):
        await changes.erase(call(), Deletion(theirs.id, 1))
    assert await store.version(PROJECT, theirs.id) is None
    assert await store.version("project-2", UUID(int=1)) is None
    assert await store.get("project-2", theirs.id, None) == theirs
