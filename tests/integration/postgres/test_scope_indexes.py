"""The index of a scope in memory follows the stored memories, however they are changed."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from server.core.values import Vector
from server.memories.changes import Deletion
from server.memories.passages import EVERY_SOURCE, Hit, Source
from server.memories.queries import SearchQuery
from server.memories.scope import Scope
from server.memories.search.ranking import ArmWeights
from server.storage.postgres import scope_indexes, search_statements
from server.storage.postgres.candidates import FoundItems
from server.storage.postgres.memory_store import PostgresMemoryStore
from server.storage.postgres.pool import Database
from server.storage.postgres.scope_index import ScopeIndex, State
from server.storage.postgres.scope_indexes import (
    IDLE_SECONDS,
    MOST_BYTES,
    HeldScope,
    ScopeIndexes,
)
from server.storage.postgres.search import Searches
from server.storage.postgres.search_statements import IndexCheck
from server.storage.postgres.statements import BoundStatement
from tests.support.builders import (
    ALICE,
    NOW,
    PROJECT,
    NewMemory,
    addition,
    call,
    change_set,
    revision,
    vector,
)
from tests.support.clocks import HandClock
from tests.support.passages import add_passages, passages
from tests.support.searches import query

pytestmark = pytest.mark.own_database

WORDS = ["harbour", "boat", "sail", "tea", "rain", "morning", "music", "violin", "garden"]
RUN = Scope(user_id="alice", run_id="run")
QUESTION = query("a boat in the harbour, or tea", limit=20, weights=ArmWeights())


class World:
    """A store that others write to, and a server that holds Alice's scope in memory."""

    def __init__(self, database: Database, most_bytes: int = MOST_BYTES) -> None:
        self.database = database
        self.clock = HandClock(1000.0)
        self.store = PostgresMemoryStore(database, on_commit=lambda: None)
        self.indexes = ScopeIndexes(database, most_bytes, self.clock)
        self.held = Searches(database, indexes=self.indexes)
        self.plain = Searches(database, indexes=ScopeIndexes(database, most_bytes=0))
        self._minutes: Iterator[int] = iter(range(0, 100_000, 7))

    async def hold(self, asked: SearchQuery = QUESTION) -> None:
        """Searches until the scope is held."""
        for _ in range(2):
            await self.held.search(asked)
        await self.indexes.finish()
        assert await self.is_held(asked)

    async def is_held(self, asked: SearchQuery = QUESTION) -> bool:
        return await self.indexes.rank(asked) is not None

    async def add(self, *texts: str, scope: Scope = ALICE, **details: object) -> list[NewMemory]:
        new_call = call(scope=scope, time=NOW + timedelta(minutes=next(self._minutes)))
        added = [
            addition(new_call, text, ordinal=ordinal, **details)  # type: ignore[arg-type] # names fit
            for ordinal, text in enumerate(texts)
        ]
        await self.store.commit(change_set(new_call, added=added))
        return added

    async def same(self, asked: SearchQuery = QUESTION) -> list[Hit]:
        """The hits of the index, after checking that the statement finds the same."""
        found, expected = await self.held.search(asked), await self.plain.search(asked)
        assert scores(found) == pytest.approx(scores(expected), abs=1e-6)
        assert items(found) == items(expected)
        return found


def scores(hits: list[Hit]) -> dict[object, float]:
    return {
        key: score
        for hit in hits
        for key, score in [
            (hit.id, hit.score),
            *(((hit.id, arm.arm), arm.score) for arm in hit.arms),
        ]
    }


def items(hits: list[Hit]) -> dict[object, object]:
    return {hit.id: hit.found for hit in hits}


async def rewrite(
    database: Database, text: str, version: int, later: timedelta = timedelta(0)
) -> None:
    """Rewrites all memories by SQL alone."""
    async with database.connection() as connection:
        await connection.execute(
            "UPDATE memories SET text = $1, version = $2, update_time = update_time + $3",
            text,
            version,
            later,
        )


async def test_found_items_are_read_once_for_each_version(database: Database) -> None:
    world = World(database)
    await world.add("tea")
    await world.hold()
    await world.held.search(QUESTION)
    await rewrite(database, "never read", 1)
    assert [hit.text for hit in await world.held.search(QUESTION)] == ["tea"]
    await rewrite(database, "a boat", 2)
    assert [hit.text for hit in await world.same()] == ["a boat"]
    async with database.connection() as connection:
        await connection.execute("DELETE FROM memories")
    assert await world.same() == []


async def test_a_version_that_is_assigned_twice_is_read_twice(database: Database) -> None:
    world = World(database)
    await world.add("tea")
    await world.hold()
    for version, text in (2, "rain"), (1, "tea"), (2, "a boat"):
        await rewrite(database, text, version, later=timedelta(seconds=1))
        assert [hit.text for hit in await world.same()] == [text]


async def test_an_item_that_changed_since_it_was_ranked_is_not_kept(database: Database) -> None:
    world, found = World(database), FoundItems(most_bytes=100_000)
    [tea] = await world.add("tea")
    await rewrite(database, "a boat", 2)

    async def read(version: int | None, project_id: str = PROJECT) -> str | None:
        state = None if version is None else State(version, tea.memory.update_time)
        asked = replace(QUESTION, project_id=project_id)
        [item] = await found.read(database.connection, asked, [(tea.memory.id, state)])
        return None if item is None else item.text

    assert await read(1) == "a boat"
    assert await read(None) == "a boat"
    await rewrite(database, "rain", 2)
    assert await read(1) == "rain"
    assert await read(2) == "rain"
    await rewrite(database, "never read", 2)
    assert await read(2) == "rain"
    assert await read(2, "another") is None
    assert await read(None) == "never read"


async def test_found_items_stay_within_their_limit(database: Database) -> None:
    world, found = World(database), FoundItems(most_bytes=5_000)
    added = await world.add("tea", "rain", "a boat " * 1_000)
    identities = [(item.memory.id, State(1, item.memory.update_time)) for item in added]
    for identity in identities:
        assert None not in await found.read(database.connection, QUESTION, [identity])
    await rewrite(database, "read again", 1)
    read = await found.read(database.connection, QUESTION, identities)
    assert [item and item.text for item in read] == ["read again", "rain", "read again"]


def embedding(chance: random.Random) -> Vector:
    return vector(*(chance.gauss(0.3, 1) for _ in range(3)))


async def test_every_change_is_found_and_scored_as_by_the_statement(database: Database) -> None:
    world, chance = World(database), random.Random(11)
    stored: list[NewMemory] = []

    async def add(scope: Scope, count: int, *, verbatim: bool) -> None:
        texts = [
            f"{chance.random()} " + " ".join(chance.choices(WORDS, k=chance.choice((2, 5, 80))))
            for _ in range(count)
        ]
        expires = chance.choice((None, NOW.date(), NOW.date() - timedelta(days=1)))
        stored.extend(
            await world.add(
                *texts,
                scope=scope,
                verbatim=verbatim,
                embedding=embedding(chance),
                expiration_date=expires,
                name=chance.choice(("Ann", "Bob", None)),
            )
        )

    for _ in range(20):
        await add(chance.choice((ALICE, RUN)), 8, verbatim=chance.random() < 0.7)
    await add_passages(world.store, passages(["A boat. ", "Tea?"], ["The harbour."]), time=NOW)
    await world.hold()
    await world.hold(everything := replace(QUESTION, visible_on=None))
    await world.hold(alone := replace(QUESTION, sources=frozenset([Source.MEMORIES])))
    for _ in range(12):
        await add(chance.choice((ALICE, RUN)), chance.choice((0, 3)), verbatim=True)
        changed, gone = chance.sample(range(len(stored)), 2)
        new_call = call(time=NOW + timedelta(days=1))
        revised = replace(
            revision(stored[changed], "boat and tea " + str(chance.random())),
            embedding=embedding(chance),
        )
        await world.store.commit(
            change_set(new_call, updated=[revised], deleted=[Deletion(stored[gone].memory.id, 1)])
        )
        for index in sorted((changed, gone), reverse=True):
            stored.pop(index)
        for asked in (QUESTION, everything, alone, replace(QUESTION, text="of none of these")):
            assert await world.same(replace(asked, graph={stored[0].memory.id: 0.7}))
    assert await world.is_held()


async def test_changes_by_plain_sql_are_seen(database: Database) -> None:
    world = World(database)
    boat, tea = await world.add("a boat", "tea")
    await add_passages(world.store, passages(["The harbour."]))
    await world.hold()
    async with database.connection() as connection:
        await connection.execute("DELETE FROM memories WHERE memory_id = $1", boat.memory.id)
    assert {hit.text for hit in await world.same()} == {"tea", "The harbour."}
    async with database.connection() as connection:
        await connection.execute(
            "UPDATE memories SET text = 'a boat again', version = 2 WHERE memory_id = $1",
            tea.memory.id,
        )
        await connection.execute("UPDATE passages SET delete_time = now()")
    assert [hit.text for hit in await world.same()] == ["a boat again"]
    async with database.connection() as connection:
        await connection.execute("DELETE FROM memories")
    assert await world.same() == []
    await world.add("tea")
    assert len(await world.same()) == 1


async def test_a_memory_is_found_whose_call_is_older_than_those_held(
    database: Database,
) -> None:
    world = World(database)
    late, early = (call(time=NOW + timedelta(minutes=minute)) for minute in (2, 1))
    await world.store.commit(change_set(late, added=[addition(late, "tea")]))
    await world.hold()
    await world.store.commit(change_set(early, added=[addition(early, "a boat")]))
    assert {hit.text for hit in await world.same()} == {"tea", "a boat"}


async def test_searches_during_changes_find_the_stored_memories(database: Database) -> None:
    world = World(database)
    await world.add("tea")
    await world.hold()

    async def write(number: int) -> None:
        [item] = await world.add(f"a boat number {number}")
        if number % 3 == 0:
            new_call = call(time=NOW + timedelta(days=1))
            await world.store.commit(change_set(new_call, deleted=[Deletion(item.memory.id, 1)]))

    async def search(number: int) -> None:
        await write(number)
        hits = await world.held.search(replace(QUESTION, limit=100))
        assert (f"a boat number {number}" in {hit.text for hit in hits}) == (number % 3 != 0)

    async with asyncio.TaskGroup() as group:
        for number in range(40):
            group.create_task(search(number))
    assert len(await world.same(replace(QUESTION, limit=100))) == 27


async def test_after_many_changes_the_scope_is_read_again(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scope_indexes, "MOST_CHANGES", 5)
    world = World(database)
    await world.add(*(f"a boat number {number}" for number in range(6)))
    await world.hold()
    async with database.connection() as connection:
        await connection.execute("UPDATE memories SET version = version + 1")
    assert not await world.is_held()
    assert len(await world.same()) == 6
    await world.indexes.finish()
    assert await world.is_held()


BOB = Scope(user_id="bob")
OF_BOB = replace(QUESTION, scope=BOB)


async def test_a_scope_makes_way_for_one_that_grows(database: Database) -> None:
    world = World(database, most_bytes=12_000)
    await world.add("tea")
    await world.add("rain", scope=BOB)
    await world.hold()
    await world.hold(OF_BOB)
    await world.add(*("boat " * number for number in range(1, 7)), scope=BOB)
    await world.same(OF_BOB)
    assert not await world.is_held()
    assert await world.is_held(OF_BOB)


async def test_a_scope_that_is_searched_does_not_make_way_for_a_new_one(
    database: Database,
) -> None:
    world = World(database, most_bytes=8_000)
    await world.add("tea")
    await world.add("rain", scope=BOB)
    await world.hold()
    await world.add("a boat", "a sail")
    for _ in range(3):
        await world.same()
        await world.same(OF_BOB)
        await world.indexes.finish()
    assert await world.is_held()
    assert not await world.is_held(OF_BOB)

    world.clock.now += IDLE_SECONDS
    await world.same(OF_BOB)
    await world.indexes.finish()
    assert await world.is_held(OF_BOB)


async def test_a_scope_that_does_not_fit_is_not_read_repeatedly(database: Database) -> None:
    for most_bytes in (0, 3_000):
        world = World(database, most_bytes)
        await world.add(*(f"a boat {most_bytes} {number}" for number in range(4)))
        await world.held.search(QUESTION)
        await world.held.search(QUESTION)
        await world.indexes.finish()
        assert not await world.is_held()
        async with database.connection() as connection:
            # A search that tried to read it would fail, and log that.
            await connection.execute("ALTER FUNCTION tsvectorsend RENAME TO away")
        with capture_logs() as logs:
            await world.held.search(QUESTION)
            await world.indexes.finish()
        assert logs == []
        async with database.connection() as connection:
            await connection.execute("ALTER FUNCTION away RENAME TO tsvectorsend")


async def test_searches_of_small_scopes_share_a_statement(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(database)
    scopes = [ALICE, Scope(user_id="bob"), Scope(user_id="carol")]
    for scope in scopes:
        await world.add("tea in the morning", "a boat", scope=scope)
        await world.hold(replace(QUESTION, scope=scope))
    await world.add("rain in the garden", scope=scopes[1])
    asked = [
        replace(QUESTION, scope=scope, text=text)
        for text in ("a boat", "tea", "the garden")
        for scope in scopes
    ]
    together: list[int] = []

    def check_statement(checks: Sequence[IndexCheck]) -> BoundStatement:
        together.append(len(checks))
        return original(checks)

    original = search_statements.check_statement
    monkeypatch.setattr(scope_indexes, "check_statement", check_statement)
    found = await asyncio.gather(*(world.held.search(each) for each in asked))
    assert together == [1, len(asked) - 1]
    for hits, each in zip(found, asked, strict=True):
        expected = await world.plain.search(each)
        assert scores(hits) == pytest.approx(scores(expected), abs=1e-6)
        assert items(hits) == items(expected)


def test_only_scopes_of_one_kind_share_a_statement() -> None:
    index = ScopeIndex(len(QUESTION.vector))
    groups = {
        IndexCheck(asked, index).group
        for asked in (
            QUESTION,
            replace(QUESTION, scope=Scope(user_id="bob")),
            replace(QUESTION, scope=Scope(agent_id="bob")),
            replace(QUESTION, scope=RUN),
            replace(QUESTION, scope=replace(RUN, run_id="other")),
            replace(QUESTION, project_id="other"),
            replace(QUESTION, sources=frozenset([Source.PASSAGES])),
        )
    }
    assert len(groups) == 6


async def test_a_scope_is_held_for_each_project_and_source(database: Database) -> None:
    world = World(database)
    await world.add("tea")
    await world.hold()
    assert not await world.is_held(replace(QUESTION, project_id="other"))
    assert not await world.is_held(replace(QUESTION, scope=RUN))
    assert not await world.is_held(replace(QUESTION, sources=frozenset([Source.PASSAGES])))
    assert not await world.is_held(replace(QUESTION, vector=vector(1, 0, 0, 0)))
    assert QUESTION.sources == EVERY_SOURCE


async def test_a_scope_that_cannot_be_read_is_searched_by_statement(database: Database) -> None:
    world = World(database)
    await world.add("tea")
    async with database.connection() as connection:
        await connection.execute("ALTER FUNCTION halfvec_send RENAME TO away")
    for _ in range(3):
        assert await world.held.search(QUESTION)
        await world.indexes.finish()
    assert not await world.is_held()


class GatedReading:
    """Holds back the reading of scopes into memory, and counts the searches by statement."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.has_begun, self.may_end = asyncio.Event(), asyncio.Event()
        self.by_statement = 0
        by_statement, read = Searches._by_statement, ScopeIndexes._read

        async def gated(indexes: ScopeIndexes, asked: SearchQuery) -> HeldScope:
            self.has_begun.set()
            await self.may_end.wait()
            return await read(indexes, asked)

        async def counted(searches: Searches, asked: SearchQuery) -> list[Hit]:
            self.by_statement += 1
            return await by_statement(searches, asked)

        monkeypatch.setattr(ScopeIndexes, "_read", gated)
        monkeypatch.setattr(Searches, "_by_statement", counted)


async def test_while_a_scope_is_read_only_two_searches_go_by_statement(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, reading = World(database), GatedReading(monkeypatch)
    monkeypatch.setattr(scope_indexes, "LOAD_WAIT_SECONDS", 60.0)
    await world.add("the boat is in the harbour", "tea in the morning")
    for _ in range(2):
        await world.held.search(QUESTION)
    await reading.has_begun.wait()
    searches = [asyncio.create_task(world.held.search(QUESTION)) for _ in range(6)]
    await asyncio.gather(*searches[:2])
    assert not any(task.done() for task in searches[2:])
    reading.may_end.set()
    found = await asyncio.gather(*searches)
    assert reading.by_statement == 2 + 2
    assert all(items(hits) == items(found[0]) for hits in found)


async def test_a_search_does_not_wait_long_for_the_reading_of_its_scope(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, reading = World(database), GatedReading(monkeypatch)
    monkeypatch.setattr(scope_indexes, "LOAD_WAIT_SECONDS", 0.0)
    await world.add("the boat is in the harbour")
    for _ in range(2):
        await world.held.search(QUESTION)
    await reading.has_begun.wait()
    await asyncio.gather(*(world.held.search(QUESTION) for _ in range(6)))
    assert reading.by_statement == 2 + 6
    reading.may_end.set()
    await world.indexes.finish()
