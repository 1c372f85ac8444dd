"""The statements of the usual calls, each of which is a round trip."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import asyncpg
import pytest
import pytest_asyncio

from server.core.clock import Clock
from server.graph.model import Entity
from server.graph.project.ports import DirtyMemory
from server.memories.add.add_memories import AddMemories, AddMemoriesCommand
from server.memories.add.inference import ProposedOperation
from server.memories.add.inferred import AddInferred
from server.memories.add.verbatim import AddVerbatim
from server.memories.changes import Deletion
from server.memories.conversation import Message, Role
from server.memories.memory import ListOrder
from server.memories.queries import ListQuery, SearchQuery
from server.memories.scope import Scope
from server.operations.leases import ScopeTurns
from server.storage.postgres.memory_store import PostgresMemoryStore
from server.storage.postgres.outbox import PostgresOutbox
from server.storage.postgres.pool import Database
from server.storage.postgres.servers import PostgresLeases
from tests.support.builders import ALICE, PROJECT, adding, addition, call, change_set, revision
from tests.support.fakes import FakeClock, FakeEmbedder, FakeLanguageModel
from tests.support.postgres import opened


class RecordedConnection:
    """The only connection of a pool, and the statements that were sent on it."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.store = PostgresMemoryStore(database, on_commit=lambda: None)
        self._statements: list[str] = []

    async def attach(self) -> None:
        async with self.database.connection() as connection:
            connection.add_query_logger(self._note)

    async def _note(self, record: asyncpg.connection.LoggedQuery) -> None:
        self._statements.append(record.query)

    async def statements(self, work: Callable[[], Awaitable[object]]) -> int:
        """How many statements the work takes once the connection has prepared them."""
        await work()
        return await self.statements_once(work)

    async def statements_once(self, work: Callable[[], Awaitable[object]]) -> int:
        """How many statements the work takes, run once."""
        self._statements.clear()
        await work()
        return len(self._statements)


@pytest_asyncio.fixture
async def recorded(postgres_dsn: str) -> AsyncIterator[RecordedConnection]:
    """Listens to a pool of one connection."""
    async with opened(postgres_dsn, pool_size=1) as database:
        tapped = RecordedConnection(database)
        await tapped.attach()
        yield tapped


async def test_a_verbatim_add_is_one_statement(recorded: RecordedConnection) -> None:
    add = AddMemories(
        recorded.store,
        AddVerbatim(recorded.store, FakeEmbedder(), FakeClock()),
        AddVerbatim(recorded.store, FakeEmbedder(), FakeClock()),
    )

    async def add_one() -> None:
        messages = [Message(Role.USER, f"{uuid4()}"), Message(Role.ASSISTANT, f"{uuid4()}")]
        await add(AddMemoriesCommand(PROJECT, ALICE, messages, metadata={}, infer=False))

    assert await recorded.statements(add_one) == 1


async def test_a_request_id_costs_one_look_up_more(recorded: RecordedConnection) -> None:
    verbatim = AddVerbatim(recorded.store, FakeEmbedder(), FakeClock())
    add = AddMemories(recorded.store, verbatim, verbatim)

    async def add_one() -> None:
        messages = [Message(Role.USER, f"{uuid4()}")]
        command = AddMemoriesCommand(PROJECT, ALICE, messages, metadata={}, infer=False)
        await add(replace(command, request_id=uuid4()))

    assert await recorded.statements(add_one) == 2


async def test_an_inferred_add_is_two_statements(recorded: RecordedConnection) -> None:
    """A third is sent only if candidates were written by another server."""
    model, leases = FakeLanguageModel(), PostgresLeases(recorded.database)
    clock, turns = Clock(), ScopeTurns(leases)
    add = AddInferred(recorded.store, FakeEmbedder(), model, clock, turns, max_deletions=5)

    async def add_one() -> None:
        text = f"I like {uuid4()} and tea"
        model.script.append([ProposedOperation("ADD", text, 1, text)])
        await add(AddMemoriesCommand(PROJECT, ALICE, [Message(Role.USER, text)], metadata={}))

    assert await recorded.statements(add_one) == 2
    new_call = call()
    chess = addition(new_call, "Alice plays chess", embedding=FakeEmbedder().vector_of("chess"))
    await recorded.store.commit(change_set(new_call, added=[chess]))
    assert await recorded.statements_once(add_one) == 3
    assert await recorded.statements_once(add_one) == 2


async def test_changes_of_memories_are_one_transaction(recorded: RecordedConnection) -> None:
    async def change() -> None:
        first = adding(f"{uuid4()}", f"{uuid4()}")
        await recorded.store.commit(first)
        one, other = first.added
        updated = [revision(one, f"{uuid4()}")]
        await recorded.store.commit(
            change_set(call(), updated=updated, deleted=[Deletion(other.memory_id, 1)])
        )

    # The add; then begin, the call, the removal, the update and commit.
    assert await recorded.statements(change) == 1 + 5


async def test_reads_are_one_statement_and_a_search_is_two(recorded: RecordedConnection) -> None:
    changes = adding("Alice likes tea")
    await recorded.store.commit(changes)
    item = changes.added[0]
    search = SearchQuery(PROJECT, ALICE, item.embedding, limit=5, visible_on=None)
    listing = ListQuery(PROJECT, ALICE, 5, ListOrder.NEWEST_FIRST, visible_on=None)
    store = recorded.store
    assert await recorded.statements(lambda: store.search(search)) == 2
    assert await recorded.statements(lambda: store.list(listing)) == 1
    assert await recorded.statements(lambda: store.get(PROJECT, item.memory_id, None)) == 1


@pytest.mark.parametrize("users", [1, 20])
async def test_aliases_of_many_users_are_stored_together(
    recorded: RecordedConnection, users: int
) -> None:
    """It reads the memories, runs a transaction of six, and looks for work that others left."""
    outbox = PostgresOutbox(recorded.database, Clock())
    # An alias of two entities joins neither, so nobody else is affected.
    named = [Entity(name, aliases=("Bob",)) for name in ("Robert Smith", "Robin Hood")]

    async def claimed() -> list[DirtyMemory]:
        for _ in range(users):
            new_call = call(scope=Scope(user_id=f"{uuid4()}"))
            await recorded.store.commit(
                change_set(
                    new_call, added=[addition(new_call, "They are called Bob", entities=named)]
                )
            )
        return await outbox.claim(100, timedelta(minutes=1))

    # The first time, asyncpg asks for the types that it does not know.
    await outbox.subgraphs(await claimed())
    again = await claimed()
    assert len(again) == users
    assert await recorded.statements_once(lambda: outbox.subgraphs(again)) == 1 + 6 + 1
