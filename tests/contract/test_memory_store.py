"""The contract of the memory store, held on PostgreSQL and on the fake of the unit tests."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from uuid import uuid4

import pytest

from server.core.errors import ConcurrentChange, RequestIdReused
from server.memories.add.inference import Candidate
from server.memories.add.proposals import Notice, NoticeReason
from server.memories.changes import ChangeSet, Deletion
from server.memories.memory import EventType, Evidence, ListCursor, ListOrder
from server.memories.ports import MemoryStore
from server.memories.queries import Committed, ListQuery, SearchQuery
from server.memories.scope import Scope
from server.operations.ports import ScopeLease
from server.projects.project import Project
from server.storage.postgres.memory_store import PostgresMemoryStore
from server.storage.postgres.pool import Database
from server.storage.postgres.projects import PostgresProjectStore
from tests.support.builders import (
    ALICE,
    LISBON,
    NOW,
    PROJECT,
    adding,
    addition,
    call,
    change_set,
    memory_of,
    message,
    revision,
    vector,
)
from tests.support.fake_store import FakeStore

TODAY = NOW.date()
BOB = Scope(user_id="bob")


@pytest.fixture
def commits() -> list[None]:
    """Increases by one with every commit that the store reports."""
    return []


@pytest.fixture
def postgres_store(database: Database, commits: list[None]) -> MemoryStore:
    return PostgresMemoryStore(database, on_commit=lambda: commits.append(None))


@pytest.fixture(params=["fake", "postgres"])
def store(request: pytest.FixtureRequest, commits: list[None]) -> MemoryStore:
    if request.param == "fake":
        return FakeStore(on_commit=lambda: commits.append(None))
    store: MemoryStore = request.getfixturevalue("postgres_store")
    return store


def query(**changes: object) -> SearchQuery:
    defaults: dict[str, object] = {
        "project_id": PROJECT,
        "scope": ALICE,
        "vector": vector(1, 0, 0),
        "limit": 10,
        "visible_on": TODAY,
    }
    return SearchQuery(**{**defaults, **changes})  # type: ignore[arg-type] # names fit


async def candidates(store: MemoryStore) -> Sequence[Candidate]:
    """Begins an add for Alice, ends it at once, and returns its candidates."""
    lease = ScopeLease(PROJECT, ALICE.key(), uuid4())
    inputs = await store.begin_add(lease, timedelta(0), [vector(1, 0, 0)], 5, TODAY)
    assert inputs is not None
    return inputs.candidates


def listing(**changes: object) -> ListQuery:
    defaults: dict[str, object] = {
        "project_id": PROJECT,
        "scope": ALICE,
        "limit": 10,
        "order": ListOrder.OLDEST_FIRST,
        "visible_on": TODAY,
    }
    return ListQuery(**{**defaults, **changes})  # type: ignore[arg-type] # names fit


async def texts(store: MemoryStore, **changes: object) -> list[str]:
    return [memory.text for memory in await store.list(listing(**changes))]


async def test_an_added_memory_is_read_back_whole(store: MemoryStore, commits: list[None]) -> None:
    new_call = call(request_id=uuid4(), payload_digest=b"payload")
    said_message = message("I live in Lisbon")
    item = addition(
        new_call,
        "Alice lives in Lisbon",
        metadata={"source": "chat", "nested": {"n": 1, "list": [True, None, 1.5]}},
        categories=["travel"],
        immutable=True,
        expiration_date=TODAY,
        evidence=[Evidence(said_message.id, "live in Lisbon")],
        entities=[LISBON.source, LISBON.target],
        relations=[LISBON],
    )

    committed = await store.commit(change_set(new_call, [said_message], [item]))

    assert committed.added == {item.memory.id}
    assert await store.get(PROJECT, item.memory.id, TODAY) == item.memory
    assert commits == [None]


async def test_positions_grow_from_commit_to_commit(store: MemoryStore) -> None:
    first = await store.commit(adding("one"))
    second = await store.commit(adding("two"))
    assert second.position > first.position


async def test_a_call_without_memories_still_keeps_its_messages(store: MemoryStore) -> None:
    committed = await store.commit(change_set(call(), [message("Good morning")]))
    assert committed.added == frozenset()
    recent = await store.recent_messages(PROJECT, ALICE, 10)
    assert [m.content for m in recent] == ["Good morning"]


async def test_recent_messages_are_the_last_of_the_scope_oldest_first(store: MemoryStore) -> None:
    await store.commit(change_set(call(), [message("1"), message("2", ordinal=1)]))
    await store.commit(change_set(call(), [message("3")]))
    await store.commit(change_set(call(scope=BOB), [message("of Bob")]))
    recent = await store.recent_messages(PROJECT, ALICE, 2)
    assert [m.content for m in recent] == ["2", "3"]


async def test_an_equal_memory_of_the_same_scope_is_left_out(store: MemoryStore) -> None:
    await store.commit(adding("Alice likes tea"))
    again = adding("Alice likes tea", "Alice likes cake")
    committed = await store.commit(again)
    assert committed.added == {again.added[1].memory_id}
    assert sorted(await texts(store)) == ["Alice likes cake", "Alice likes tea"]


async def test_an_equal_memory_twice_in_one_call_is_stored_once(store: MemoryStore) -> None:
    committed = await store.commit(adding("Alice likes tea", "Alice likes tea"))
    assert len(committed.added) == 1


@pytest.mark.parametrize("other", [BOB, Scope(user_id="alice", run_id="r1"), Scope(agent_id="a")])
async def test_an_equal_memory_of_another_scope_is_another_memory(
    store: MemoryStore, other: Scope
) -> None:
    await store.commit(adding("Tea is good"))
    assert len((await store.commit(adding("Tea is good", scope=other))).added) == 1


async def test_racing_adds_of_one_fact_leave_one_memory(store: MemoryStore) -> None:
    committed = await asyncio.gather(*(store.commit(adding("Tea is good")) for _ in range(16)))
    assert sum(len(c.added) for c in committed) == 1
    assert await texts(store) == ["Tea is good"]


async def test_an_expired_memory_with_the_same_fact_is_replaced(store: MemoryStore) -> None:
    yesterday = TODAY - timedelta(days=1)
    old = call()
    expired = addition(old, "Tea is good", expiration_date=yesterday)
    await store.commit(change_set(old, [], [expired]))

    committed = await store.commit(adding("Tea is good"))

    assert len(committed.added) == 1
    assert await texts(store) == ["Tea is good"]
    assert await store.get(PROJECT, expired.memory.id, None) is None


async def test_a_request_id_is_taken_once(store: MemoryStore) -> None:
    new_call = call(request_id=uuid4(), payload_digest=b"payload")
    await store.commit(change_set(new_call, [], [addition(new_call, "one")]))
    again = call(request_id=new_call.request_id, payload_digest=b"payload")
    with pytest.raises(RequestIdReused):
        await store.commit(change_set(again, [message("m")], [addition(again, "two")]))
    assert await texts(store) == ["one"]
    assert await store.recent_messages(PROJECT, ALICE, 10) == []


async def test_calls_at_the_same_moment_succeed_or_fail_separately(store: MemoryStore) -> None:
    first = call(request_id=uuid4())
    await store.commit(change_set(first, [], [addition(first, "known")]))
    old = call()
    expired = addition(old, "expired", expiration_date=TODAY - timedelta(days=1))
    await store.commit(change_set(old, [], [expired]))
    taken = call(scope=BOB, request_id=first.request_id)
    late = change_set(call(scope=BOB), [], [], lease=uuid4())
    changes = [
        *(adding(f"of everyone {n}", f"fact {n}") for n in range(8)),
        adding("known"),
        adding("expired"),
        change_set(taken, [], [addition(taken, "never stored")]),
        late,
        *(adding("said twice") for _ in range(2)),
    ]
    outcomes = await asyncio.gather(*map(store.commit, changes), return_exceptions=True)
    committed = [outcome for outcome in outcomes if isinstance(outcome, Committed)]
    assert [type(outcome) for outcome in outcomes[10:12]] == [RequestIdReused, ConcurrentChange]
    assert len(committed) == len(changes) - 2
    assert len({each.position for each in committed}) == len(committed)
    assert [len(each.added) for each in committed[:10]] == [2] * 8 + [0, 1]
    assert sum(len(each.added) for each in committed[10:]) == 1
    added = [f"{kind} {n}" for kind in ("of everyone", "fact") for n in range(8)]
    assert sorted(await texts(store, limit=50)) == sorted(
        [*added, "known", "expired", "said twice"]
    )
    assert await texts(store, scope=BOB) == []


async def test_a_request_id_belongs_to_its_project(store: MemoryStore) -> None:
    request_id = uuid4()
    for project_id in ("project-1", "project-2"):
        new_call = call(project_id=project_id, request_id=request_id)
        await store.commit(change_set(new_call, [], [addition(new_call, "one")]))
    found = await store.find_call("project-2", request_id)
    assert found is not None
    assert [change.memory.project_id for change in found.changes] == ["project-2"]
    assert await store.find_call("project-3", request_id) is None


async def test_an_earlier_call_is_found_with_all_that_it_changed(store: MemoryStore) -> None:
    base = adding("to change", "to delete")
    await store.commit(base)
    notices = (
        Notice(NoticeReason.FORGET_UNMATCHED, 'No memory matched: "\u00e9"'),
        Notice(NoticeReason.FILTERED, "1 change was left out"),
    )
    new_call = replace(call(request_id=uuid4(), payload_digest=b"payload"), notices=notices)
    added = addition(new_call, "new", relations=[LISBON])
    to_change, to_delete = base.added
    deletion = Deletion(to_delete.memory_id, 1)
    changes = ChangeSet(new_call, changes=[deletion, added, revision(to_change, "changed")])
    committed = await store.commit(changes)

    found = await store.find_call(PROJECT, new_call.request_id or uuid4())

    assert found is not None
    assert found.payload_digest == b"payload"
    assert found.position == committed.position
    assert found.language_model == "test/model"
    assert [(c.event, c.memory.text, c.previous_text) for c in found.changes] == [
        (EventType.DELETE, "to delete", "to delete"),
        (EventType.ADD, "new", None),
        (EventType.UPDATE, "changed", "to change"),
    ]
    assert found.changes[1].memory == added.memory
    assert found.notices == notices
    assert await store.get_call(PROJECT, new_call.id) == found


async def test_an_update_keeps_what_it_does_not_name(store: MemoryStore) -> None:
    new_call = call()
    item = addition(new_call, "in Berlin", metadata={"a": 1, "b": 1}, expiration_date=TODAY)
    await store.commit(change_set(new_call, [], [item]))
    later = call(time=NOW + timedelta(hours=1))
    await store.commit(
        change_set(later, updated=[revision(item, "in Lisbon")], metadata={"b": 2, "c": 3})
    )
    memory = await store.get(PROJECT, item.memory.id, TODAY)
    assert memory is not None
    assert memory.text == "in Lisbon"
    assert memory.metadata == {"a": 1, "b": 2, "c": 3}
    assert memory.expiration_date == TODAY
    assert memory.version == 2
    assert (memory.create_time, memory.update_time) == (new_call.time, later.time)
    assert memory.provenance.call_id == later.id


async def test_a_change_decided_on_an_older_state_changes_nothing(store: MemoryStore) -> None:
    base = adding("one", "two")
    await store.commit(base)
    await store.commit(change_set(call(), updated=[revision(base.added[0], "one changed")]))

    stale = change_set(
        call(),
        [message("m")],
        added=[addition(call(), "three")],
        updated=[revision(base.added[0], "stale")],
        deleted=[Deletion(base.added[1].memory_id, 1)],
    )
    with pytest.raises(ConcurrentChange):
        await store.commit(stale)

    assert sorted(await texts(store)) == ["one changed", "two"]


async def test_an_update_never_makes_two_memories_equal(store: MemoryStore) -> None:
    base = adding("one", "two")
    await store.commit(base)
    with pytest.raises(ConcurrentChange):
        await store.commit(change_set(call(), updated=[revision(base.added[0], "two")]))
    assert sorted(await texts(store)) == ["one", "two"]


async def test_an_immutable_memory_is_never_updated_but_can_be_removed(store: MemoryStore) -> None:
    new_call = call()
    item = addition(new_call, "fixed", immutable=True)
    await store.commit(change_set(new_call, [], [item]))
    with pytest.raises(ConcurrentChange):
        await store.commit(change_set(call(), updated=[revision(item, "changed")]))
    await store.commit(change_set(call(), deleted=[Deletion(item.memory.id, 1)]))
    assert await texts(store) == []


async def test_a_removed_memory_is_found_by_no_read(store: MemoryStore) -> None:
    base = adding("one")
    await store.commit(base)
    memory_id = base.added[0].memory_id
    await store.commit(change_set(call(), deleted=[Deletion(memory_id, 1)]))
    assert await store.get(PROJECT, memory_id, None) is None
    assert await texts(store, visible_on=None) == []
    assert await store.search(query(visible_on=None)) == []
    assert await candidates(store) == []
    assert await store.visible(PROJECT, [memory_id], TODAY) == set()


async def test_a_removed_fact_can_be_added_again(store: MemoryStore) -> None:
    base = adding("one")
    await store.commit(base)
    await store.commit(change_set(call(), deleted=[Deletion(base.added[0].memory_id, 1)]))
    assert len((await store.commit(adding("one"))).added) == 1


@pytest.mark.parametrize(
    ("expiration", "visible"), [(None, True), (TODAY, True), (TODAY - timedelta(days=1), False)]
)
async def test_expiry_hides_from_every_read(
    store: MemoryStore, expiration: date | None, visible: bool
) -> None:
    new_call = call()
    item = addition(new_call, "one", expiration_date=expiration)
    await store.commit(change_set(new_call, [], [item]))
    found = [
        await store.get(PROJECT, item.memory.id, TODAY) is not None,
        await texts(store) == ["one"],
        len(await store.search(query())) == 1,
        len(await candidates(store)) == 1,
        await store.visible(PROJECT, [item.memory.id], TODAY) == {item.memory.id},
    ]
    assert found == [visible] * 5
    assert await texts(store, visible_on=None) == ["one"]
    assert len(await store.search(query(visible_on=None))) == 1


async def test_a_memory_without_expiration_date_expires_by_the_retention_of_its_project(
    postgres_store: MemoryStore, database: Database
) -> None:
    projects = PostgresProjectStore(database)
    for project_id, days in ((PROJECT, 30), ("project-2", 0)):
        await projects.create_project(
            Project(project_id, "org", NOW, NOW, default_retention_days=days)
        )
    silent = adding("by default")
    elsewhere = adding("elsewhere", project_id="project-2")
    new_call = call()
    named = change_set(new_call, added=[addition(new_call, "named", expiration_date=TODAY)])
    for changes in (silent, elsewhere, named):
        await postgres_store.commit(changes)

    async def last_day(changes: ChangeSet) -> date | None:
        memory = memory_of(changes, changes.added[0])
        found = await postgres_store.get(memory.project_id, memory.id, TODAY)
        assert found is not None
        return found.expiration_date

    assert await last_day(silent) == TODAY + timedelta(days=30)
    assert await last_day(named) == TODAY
    assert await last_day(elsewhere) is None


async def test_an_expired_hit_does_not_take_the_place_of_a_visible_one(store: MemoryStore) -> None:
    old, new = call(), call()
    near = [addition(old, f"expired {n}", expiration_date=date(2020, 1, 1)) for n in range(5)]
    await store.commit(change_set(old, [], near))
    far = addition(new, "visible", embedding=vector(1, 1, 0))
    await store.commit(change_set(new, [], [far]))
    hits = await store.search(query(limit=1))
    assert [hit.text for hit in hits] == ["visible"]


async def test_search_orders_by_similarity_and_bounds_it(postgres_store: MemoryStore) -> None:
    new_call = call()
    embeddings = {
        "same": vector(1, 0, 0),
        "near": vector(1, 1, 0),
        "apart": vector(0, 0, 1),
        "opposite": vector(-1, 0, 0),
    }
    added = [addition(new_call, text, embedding=e) for text, e in embeddings.items()]
    await postgres_store.commit(change_set(new_call, [], added))

    hits = await postgres_store.search(query())
    assert [hit.text for hit in hits] == ["same", "near", "apart", "opposite"]
    assert [hit.score for hit in hits] == pytest.approx([1.0, 0.692, 0.0, 0.0], abs=1e-3)
    assert len(await postgres_store.search(query(limit=2))) == 2
    above = await postgres_store.search(query(threshold=0.5))
    assert [hit.text for hit in above] == ["same", "near"]


async def test_search_keeps_to_categories(store: MemoryStore) -> None:
    new_call = call()
    tagged = {"one": ["food"], "two": ["food", "health"], "three": []}
    await store.commit(
        change_set(
            new_call,
            [],
            [addition(new_call, text, categories=tags) for text, tags in tagged.items()],
        )
    )
    hits = await store.search(query(categories=["health", "sports"]))
    assert [hit.text for hit in hits] == ["two"]


SCOPES = {
    "user": Scope(user_id="u"),
    "user-run": Scope(user_id="u", run_id="r"),
    "agent": Scope(agent_id="a"),
    "user-agent": Scope(user_id="u", agent_id="a"),
    "app": Scope(app_id="p"),
    "star": Scope(user_id="*"),
}


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (Scope(user_id="u"), {"user", "user-run", "user-agent"}),
        (Scope(agent_id="a"), {"agent", "user-agent"}),
        (Scope(user_id="u", agent_id="a"), {"user-agent"}),
        (Scope(run_id="r"), {"user-run"}),
        (Scope(app_id="p"), {"app"}),
        (Scope(user_id="*"), {"star"}),
        (Scope(user_id="%"), set()),
        (Scope(user_id="u' OR '1'='1"), set()),
        (Scope(), set(SCOPES)),
    ],
)
async def test_a_read_sees_the_memories_that_match_what_it_names(
    store: MemoryStore, asked: Scope, expected: set[str]
) -> None:
    for text, scope in SCOPES.items():
        await store.commit(adding(text, scope=scope))
        await store.commit(adding(f"other {text}", scope=scope, project_id="project-2"))
    assert set(await texts(store, scope=asked)) == expected
    assert {hit.text for hit in await store.search(query(scope=asked))} == expected


async def test_nothing_crosses_projects(store: MemoryStore) -> None:
    theirs = adding("theirs", project_id="project-2")
    await store.commit(theirs)
    memory_id = theirs.added[0].memory_id
    assert await store.get(PROJECT, memory_id, None) is None
    assert await store.visible(PROJECT, [memory_id], TODAY) == set()
    assert await candidates(store) == []
    assert await store.recent_messages(PROJECT, ALICE, 5) == []
    with pytest.raises(ConcurrentChange):
        await store.commit(change_set(call(), deleted=[Deletion(memory_id, 1)]))
    assert await store.get("project-2", memory_id, None) is not None


@pytest.mark.parametrize("order", list(ListOrder))
async def test_pages_hold_every_memory_once_in_order(store: MemoryStore, order: ListOrder) -> None:
    for n in range(7):
        new_call = call(time=NOW + timedelta(seconds=n // 2))
        await store.commit(change_set(new_call, [], [addition(new_call, f"memory {n}")]))
    seen = []
    after = None
    while page := await store.list(listing(limit=3, order=order, after=after)):
        seen += page
        after = ListCursor(page[-1].create_time, page[-1].id)
    keys = [(memory.create_time, memory.id) for memory in seen]
    assert len(keys) == 7
    assert keys == sorted(keys, reverse=order is ListOrder.NEWEST_FIRST)
