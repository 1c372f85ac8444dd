"""The contract of passages on PostgreSQL: they are found like memories, and follow deletions."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from server.memories.changes import Deletion
from server.memories.conversation import Role
from server.memories.filters.parser import parse_filter
from server.memories.passages import Passage, Source
from server.memories.ports import MemoryStore
from server.memories.queries import SearchQuery
from server.memories.scope import DeletionReceipt, Scope, ScopeKind
from server.projects.project import Project
from server.storage.postgres.pool import Database
from server.storage.postgres.projects import PostgresProjectStore
from tests.support.builders import ALICE, NOW, PROJECT, addition, call, change_set, revision, vector
from tests.support.passages import add_passages, found, passages

TODAY = NOW.date()
TEA = ("I drink tea. ", "It rains.")
"""The passage of a message of two sentences."""

SAID = "".join(TEA)


async def test_a_passage_is_found_with_its_message(store: MemoryStore) -> None:
    with_passages = passages(TEA, role=Role.ASSISTANT, name="Helper", metadata={"a": 1})
    await add_passages(store, with_passages)
    query = SearchQuery(PROJECT, ALICE, vector(1, 0, 0), 10, TODAY, text="tea")
    [hit] = await store.search(query)
    passage = hit.found
    assert isinstance(passage, Passage)
    assert hit.score > 0.5
    assert {arm.arm for arm in hit.arms} == {"dense", "lexical"}
    assert passage.message_id == with_passages.passages[0].message_id
    assert (passage.role, passage.name, passage.text) == (Role.ASSISTANT, "Helper", SAID)
    assert (passage.scope, passage.event_time, passage.metadata) == (ALICE, NOW, {"a": 1})


async def test_only_requested_sources_are_searched(store: MemoryStore) -> None:
    new_call = call()
    await add_passages(store, passages(("Told.",)), added=[addition(new_call, "Remembered")])
    assert await found(store) == {"Told.", "Remembered"}
    assert await found(store, sources=frozenset({Source.MEMORIES})) == {"Remembered"}
    assert await found(store, sources=frozenset({Source.PASSAGES})) == {"Told."}
    past = NOW + timedelta(minutes=1)
    assert await found(store, time=past) == {"Told.", "Remembered"}
    assert await found(store, time=past, sources=frozenset({Source.PASSAGES})) == {"Told."}


async def test_words_and_limits_count_for_both_kinds_alike(store: MemoryStore) -> None:
    new_call = call()
    await add_passages(
        store,
        passages(("The red boat is old.",), ("Blue sky.",)),
        added=[addition(new_call, "Owns a red boat"), addition(new_call, "Likes green")],
    )
    assert await found(store, "red boat", limit=2) == {"The red boat is old.", "Owns a red boat"}


async def test_scope_project_filters_and_expiry_hold_for_passages(store: MemoryStore) -> None:
    bob = Scope(user_id="bob", run_id="1")
    await add_passages(store, passages(("Of Bob.",), metadata={"kind": "private"}), scope=bob)
    await add_passages(store, passages(("Elsewhere.",)), scope=bob, project_id="project-2")
    await add_passages(store, passages(("Of Alice.",), expiration_date=TODAY))

    async def of_bob(**narrowed: object) -> set[str]:
        return await found(store, "anything", **{"scope": Scope(user_id="bob"), **narrowed})

    assert await of_bob() == {"Of Bob."}
    assert await found(store, scope=Scope(user_id="bob", run_id="2")) == set()
    assert await of_bob(project_id="project-2") == {"Elsewhere."}
    assert await of_bob(filters=parse_filter({"metadata.kind": "private"})) == {"Of Bob."}
    assert await of_bob(filters=parse_filter({"NOT": [{"metadata.kind": "private"}]})) == set()
    assert await of_bob(filters=parse_filter({"create_time": {"gt": "2030-01-01"}})) == set()
    assert await of_bob(categories=["food"]) == set()
    assert await found(store) == {"Of Alice."}
    tomorrow = TODAY + timedelta(days=1)
    assert await found(store, visible_on=tomorrow) == set()
    assert await found(store, visible_on=None) == {"Of Alice."}


async def test_the_retention_of_the_project_holds_for_passages(
    store: MemoryStore, database: Database
) -> None:
    project = Project(PROJECT, "org", NOW, NOW, default_retention_days=3)
    assert await PostgresProjectStore(database).create_project(project)
    await add_passages(store, passages(("Soon gone.",)))
    assert await found(store, visible_on=TODAY + timedelta(days=3)) == {"Soon gone."}
    assert await found(store, visible_on=TODAY + timedelta(days=4)) == set()


async def test_a_conversation_that_is_sent_again_is_kept_once(store: MemoryStore) -> None:
    await add_passages(store, passages(TEA))
    await add_passages(store, passages(TEA), time=NOW + timedelta(minutes=1))
    query = SearchQuery(PROJECT, ALICE, vector(1, 0, 0), 10, TODAY, text="tea")
    assert len(await store.search(query)) == 1


@pytest.mark.parametrize(
    ("first", "then"),
    [(TEA, TEA[1:]), (TEA[1:], TEA)],
    ids=["a fact is made later", "no fact is made again"],
)
async def test_a_sentence_that_led_to_a_memory_once_is_no_passage(
    store: MemoryStore, first: tuple[str, ...], then: tuple[str, ...]
) -> None:
    await add_passages(store, passages(first, message=SAID))
    await add_passages(store, passages(then, message=SAID), time=NOW + timedelta(minutes=2))
    assert await found(store) == {"It rains."}
    before = await found(store, time=NOW + timedelta(minutes=1))
    assert before == {"".join(first)}


async def test_a_message_without_passages_gets_none_when_it_is_sent_again(
    store: MemoryStore,
) -> None:
    await add_passages(store, passages((), message=SAID))
    assert await found(store) == set()
    await add_passages(store, passages(TEA, message=SAID), time=NOW + timedelta(minutes=1))
    assert await found(store) == set()


async def test_a_repeated_passage_lasts_as_long_as_its_last_repetition(store: MemoryStore) -> None:
    await add_passages(store, passages(TEA, expiration_date=TODAY))
    later = NOW + timedelta(minutes=1)
    await add_passages(store, passages(TEA, expiration_date=TODAY + timedelta(days=2)), time=later)
    assert await found(store, visible_on=TODAY + timedelta(days=2)) == {SAID}
    await add_passages(store, passages(TEA), time=later + timedelta(minutes=1))
    assert await found(store, visible_on=TODAY + timedelta(days=9)) == {SAID}
    await add_passages(
        store, passages(TEA, expiration_date=TODAY), time=later + timedelta(minutes=2)
    )
    assert await found(store, visible_on=TODAY + timedelta(days=9)) == {SAID}


async def test_a_call_that_stores_nothing_stores_no_passage(store: MemoryStore) -> None:
    new_call = call(request_id=call().id)
    with_passages = passages(TEA)
    await store.commit(change_set(new_call, passages=with_passages.passages))
    again = change_set(
        replace(call(), request_id=new_call.request_id), passages=passages(("Other.",)).passages
    )
    with pytest.raises(Exception, match="request"):
        await store.commit(again)
    assert await found(store) == {SAID}


async def test_deleting_a_memory_removes_sentences_about_it(store: MemoryStore) -> None:
    fact = addition(call(), "User is allergic to nuts")
    await store.commit(change_set(call(), added=[fact]))
    sentences = ("Sorry to hear of your nut allergy! ", "Shall we cook? ", "Almonds are tasty.")
    await add_passages(store, passages(sentences, role=Role.ASSISTANT))
    await add_passages(store, passages(("My nut allergy is bad.",)), scope=Scope(user_id="bob"))
    start = datetime.now(UTC)
    await store.commit(change_set(call(), deleted=[Deletion(fact.memory.id, 1)]))

    left = "Shall we cook? Almonds are tasty."
    assert await found(store, "nut allergy") == {left}
    assert await found(store, scope=Scope(user_id="bob")) == {"My nut allergy is bad."}
    assert "".join(sentences) in await found(store, time=start)
    # And it stays so when the conversation is sent again.
    await add_passages(
        store, passages(sentences, role=Role.ASSISTANT), time=NOW + timedelta(days=30)
    )
    assert await found(store, "nut allergy") == {left}


async def test_a_sentence_is_a_passage_then_a_fact_and_then_neither(store: MemoryStore) -> None:
    await add_passages(store, passages(("I work at Acme.",)))
    fact = addition(call(), "User works at Acme")
    await add_passages(store, passages((), message="I work at Acme, as I said."), added=[fact])
    await store.commit(change_set(call(), deleted=[Deletion(fact.memory.id, 1)]))
    assert await found(store, "Where does the user work? Acme") == set()


async def test_updating_a_memory_removes_sentences_about_its_former_text(
    store: MemoryStore,
) -> None:
    fact = addition(call(), "User works at Acme as a baker")
    await store.commit(change_set(call(), added=[fact]))
    await add_passages(
        store, passages(("Acme is fun to work at. ", "Work is fun. ", "A baker's work is hard."))
    )
    becomes = revision(fact, "User works at Initech as a baker")
    change = call(time=NOW + timedelta(minutes=1))
    with_passages = passages(("So no work at Acme for the baker.",))
    await store.commit(change_set(change, updated=[becomes], passages=with_passages.passages))
    assert await found(store) == {
        "User works at Initech as a baker",
        "Work is fun. A baker's work is hard.",
        "So no work at Acme for the baker.",
    }


async def test_passages_are_deleted_by_scope_and_by_filter(store: MemoryStore) -> None:
    bob = Scope(user_id="bob")
    await add_passages(store, passages(("Public.",), ("Open.",), metadata={"kind": "public"}))
    await add_passages(store, passages(("Private.",), metadata={"kind": "private"}))
    await add_passages(store, passages(("Of Bob.",)), scope=bob)
    private = parse_filter({"metadata.kind": "private"})
    before = NOW + timedelta(seconds=30)
    removal = call(time=NOW + timedelta(minutes=1))
    deletion = await store.delete_memories(replace(removal, scope=ALICE), private)
    assert deletion.receipt == DeletionReceipt(passages=1)
    assert await found(store) == {"Public.", "Open."}
    assert await found(store, time=before) == {"Public.", "Open.", "Private."}
    deletion = await store.delete_memories(call(scope=ALICE))
    assert deletion.receipt == DeletionReceipt(passages=2)
    assert await found(store) == set()
    assert await found(store, scope=bob) == {"Of Bob."}


async def test_completely_deleted_messages_can_be_added_again(store: MemoryStore) -> None:
    await add_passages(store, passages(TEA))
    await store.delete_memories(call(scope=ALICE, time=NOW + timedelta(minutes=1)))
    await add_passages(store, passages(TEA), time=NOW + timedelta(minutes=2))
    assert await found(store) == {SAID}


async def test_erasing_a_scope_leaves_no_passage_behind(
    store: MemoryStore, database: Database
) -> None:
    fact = addition(call(), "User drinks tea")
    await store.commit(change_set(call(), added=[fact]))
    await add_passages(store, passages(TEA, ("And more.",)))
    await store.commit(change_set(call(), deleted=[Deletion(fact.memory.id, 1)]))
    await add_passages(store, passages(("Of Bob.",)), scope=Scope(user_id="bob"))
    deletion = await store.erase_scope(call(), ScopeKind.USER, "alice")
    assert deletion is not None
    assert deletion.receipt.passages == 2
    async with database.connection() as connection:
        rows = await connection.fetch("SELECT text FROM passages")
    assert [row["text"] for row in rows] == ["Of Bob."]


async def test_a_request_to_forget_removes_sentences_that_became_no_memory(
    store: MemoryStore,
) -> None:
    await add_passages(store, passages(("My shoe size is 44. ", "It rains.")))
    new_call = call(time=NOW + timedelta(minutes=1))
    answer = passages(("I forgot your shoe size. ", "Anything else?"), role=Role.ASSISTANT)
    request = "Forget what I said about my shoe size."
    await store.commit(change_set(new_call, passages=answer.passages, forget_requests=[request]))
    assert await found(store, "shoe size") == {"It rains.", "Anything else?"}
    assert "My shoe size is 44. It rains." in await found(store, time=NOW)


async def test_a_word_that_all_of_the_scope_shares_removes_no_sentence(store: MemoryStore) -> None:
    fact = addition(call(), "User likes coffee")
    await store.commit(change_set(call(), added=[fact]))
    await add_passages(
        store, passages(*((f"I like fruit number {n}.",) for n in range(40)), ("Coffee is fine.",))
    )
    await store.commit(change_set(call(), deleted=[Deletion(fact.memory.id, 1)]))
    assert "Coffee is fine." not in await found(store, "coffee", limit=50)
    assert len(await found(store, "like fruit", limit=50)) == 40
