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


class Wiretap:
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

    async def heard(self, work: Callable[[], Awaitable[object]]) -> int:
        """How many statements the work takes once the connection has prepared them."""
        await work()
        return await self.heard_once(work)

    async def heard_once(self, work: Callable[[], Awaitable[object]]) -> int:
        """How many statements the work takes, run once."""
        self._statements.clear()
        await work()
        return len(self._statements)


@pytest_asyncio.fixture
async def wiretap(postgres_dsn: str) -> AsyncIterator[Wiretap]:
    """Listens to a pool of one connection."""
    async with opened(postgres_dsn, pool_size=1) as database:
        tapped = Wiretap(database)
        await tapped.attach()
        yield tapped


async def test_a_verbatim_add_is_one_statement(wiretap: Wiretap) -> None:
    add = AddMemories(
        wiretap.store,
        AddVerbatim(wiretap.store, FakeEmbedder(), FakeClock()),
        AddVerbatim(wiretap.store, FakeEmbedder(), FakeClock()),
    )

    async def say() -> None:
        messages = [Message(Role.USER, f"{uuid4()}"), Message(Role.ASSISTANT, f"{uuid4()}")]
        await add(AddMemoriesCommand(PROJECT, ALICE, messages, metadata={}, infer=False))

    assert await wiretap.heard(say) == 1


async def test_a_request_id_costs_one_look_up_more(wiretap: Wiretap) -> None:
    verbatim = AddVerbatim(wiretap.store, FakeEmbedder(), FakeClock())
    add = AddMemories(wiretap.store, verbatim, verbatim)

    async def say() -> None:
        messages = [Message(Role.USER, f"{uuid4()}")]
        command = AddMemoriesCommand(PROJECT, ALICE, messages, metadata={}, infer=False)
        await add(replace(command, request_id=uuid4()))

    assert await wiretap.heard(say) == 2


async def test_an_inferred_add_is_two_statements(wiretap: Wiretap) -> None:
    """And one more only for candidates that another server has written."""
    model, leases = FakeLanguageModel(), PostgresLeases(wiretap.database)
    clock, turns = Clock(), ScopeTurns(leases)
    add = AddInferred(wiretap.store, FakeEmbedder(), model, clock, turns, max_deletions=5)

    async def say() -> None:
        text = f"I like {uuid4()} and tea"
        model.script.append([ProposedOperation("ADD", text, 1, text)])
        await add(AddMemoriesCommand(PROJECT, ALICE, [Message(Role.USER, text)], metadata={}))

    assert await wiretap.heard(say) == 2
    new_call = call()
    chess = addition(new_call, "Alice plays chess", embedding=FakeEmbedder().vector_of("chess"))
    await wiretap.store.commit(change_set(new_call, added=[chess]))
    assert await wiretap.heard_once(say) == 3
    assert await wiretap.heard_once(say) == 2


async def test_changes_of_memories_are_one_transaction(wiretap: Wiretap) -> None:
    async def change() -> None:
        first = adding(f"{uuid4()}", f"{uuid4()}")
        await wiretap.store.commit(first)
        one, other = first.added
        updated = [revision(one, f"{uuid4()}")]
        await wiretap.store.commit(
            change_set(call(), updated=updated, deleted=[Deletion(other.memory_id, 1)])
        )

    # The add; then begin, the call, the removal, the update and commit.
    assert await wiretap.heard(change) == 1 + 5


async def test_reads_are_one_statement_and_a_search_is_two(wiretap: Wiretap) -> None:
    changes = adding("Alice likes tea")
    await wiretap.store.commit(changes)
    item = changes.added[0]
    search = SearchQuery(PROJECT, ALICE, item.embedding, limit=5, visible_on=None)
    listing = ListQuery(PROJECT, ALICE, 5, ListOrder.NEWEST_FIRST, visible_on=None)
    store = wiretap.store
    assert await wiretap.heard(lambda: store.search(search)) == 2
    assert await wiretap.heard(lambda: store.list(listing)) == 1
    assert await wiretap.heard(lambda: store.get(PROJECT, item.memory_id, None)) == 1


@pytest.mark.parametrize("users", [1, 20])
async def test_aliases_of_many_users_are_stored_together(wiretap: Wiretap, users: int) -> None:
    """Reading the memories; a transaction of six; and a look for what others left unfinished."""
    outbox = PostgresOutbox(wiretap.database, Clock())
    # An alias of two entities joins neither, so nobody else is affected.
    named = [Entity(name, aliases=("Bob",)) for name in ("Robert Smith", "Robin Hood")]

    async def claimed() -> list[DirtyMemory]:
        for _ in range(users):
            new_call = call(scope=Scope(user_id=f"{uuid4()}"))
            await wiretap.store.commit(
                change_set(
                    new_call, added=[addition(new_call, "They are called Bob", entities=named)]
                )
            )
        return await outbox.claim(100, timedelta(minutes=1))

    # The first time, asyncpg asks for the types that it does not know.
    await outbox.subgraphs(await claimed())
    again = await claimed()
    assert len(again) == users
    assert await wiretap.heard_once(lambda: outbox.subgraphs(again)) == 1 + 6 + 1
