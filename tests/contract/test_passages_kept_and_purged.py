"""The retention of passages, and passages in archives and in re-embedding."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest
import pytest_asyncio

from server.maintenance import EmbedderIdentity
from server.memories.changes import Call, Deletion
from server.memories.conversation import Role
from server.memories.ports import MemoryStore
from server.memories.scope import DeletionReceipt, Scope
from server.projects.archive.export_import import ExportProject, ImportProject
from server.projects.project import Project
from server.storage.postgres.memory_store import PostgresMemoryStore
from server.storage.postgres.pool import Database
from server.storage.postgres.projects import PostgresProjectStore
from server.storage.postgres.schema import PostgresMaintenance
from tests.support.builders import ALICE, NOW, PROJECT, addition, call, change_set, message, vector
from tests.support.dump import tables_with
from tests.support.fakes import FakeEmbedder
from tests.support.passages import add_passages, found, passages
from tests.support.postgres import migrated_database, opened

TODAY = NOW.date()
CANARY = "kestrel"


@pytest_asyncio.fixture
async def other_database(postgres_server: str) -> AsyncIterator[Database]:
    """Another store, into which a project is moved."""
    async with migrated_database(postgres_server) as dsn, opened(dsn, pool_size=2) as database:
        yield database


async def add_memory_and_passages(store: MemoryStore) -> Deletion:
    """A memory that names the canary, and passages with and without it."""
    new_call = call()
    fact = addition(new_call, f"User works at {CANARY}")
    await store.commit(change_set(new_call, [message(f"I work at {CANARY}.")], [fact]))
    sentences = (f"How is {CANARY}? ", "Is it far?")
    await add_passages(store, passages(sentences, ("It rains.",), role=Role.ASSISTANT))
    return Deletion(fact.memory.id, 1)


@pytest.mark.parametrize("deleted_before", [False, True])
async def test_erasing_a_memory_erases_passages_about_it(
    store: MemoryStore, database: Database, *, deleted_before: bool
) -> None:
    removal = await add_memory_and_passages(store)
    if deleted_before:
        await store.commit(change_set(call(), deleted=[removal]))
    # The message of the other call contains none of the memory's phrases, so it would stay.
    async with database.connection() as connection:
        await connection.execute("DELETE FROM messages WHERE position($1 IN content) > 0", CANARY)
    await store.erase(call(), replace(removal, version=2 if deleted_before else 1))
    assert await tables_with(database, CANARY) == set()
    assert await found(store) == {"It rains."}


async def test_erasing_by_filter_erases_passages_too(
    store: MemoryStore, database: Database
) -> None:
    await add_memory_and_passages(store)
    deletion = await store.delete_memories(call(scope=ALICE), erase=True)
    assert deletion.receipt.passages == 2
    assert await found(store) == set()
    async with database.connection() as connection:
        assert await connection.fetchval("SELECT count(*) FROM passages") == 0


async def test_expired_passages_are_purged_with_their_messages(
    store: MemoryStore, database: Database
) -> None:
    expired, later = TODAY - timedelta(days=9), TODAY - timedelta(days=1)
    new_call = await add_passages(store, passages((f"{CANARY}. ",), expiration_date=expired))
    cited = new_call.messages[0]
    await add_passages(store, passages(("Later.",), expiration_date=later))

    def by(project_id: str) -> Call:
        return replace(call(project_id=project_id, scope=Scope()), method="Retention")

    receipt = await store.purge(TODAY - timedelta(days=5), 9, by)
    assert receipt == DeletionReceipt(messages=1, passages=1)
    assert await store.purge(TODAY - timedelta(days=5), 9, by) is None
    assert await tables_with(database, CANARY) == set()
    assert cited.content.strip() == f"{CANARY}."
    assert await found(store, visible_on=None) == {"Later."}


async def test_an_archive_takes_passages_along(
    store: MemoryStore, database: Database, other_database: Database
) -> None:
    project = Project(PROJECT, "org", NOW, NOW)
    for each in database, other_database:
        assert await PostgresProjectStore(each).create_project(project)
    removal = await add_memory_and_passages(store)
    between = NOW + timedelta(minutes=1)
    await store.commit(change_set(call(), deleted=[removal]))
    expected = await found(store)

    lines: list[str] = []
    await ExportProject(PostgresProjectStore(database))(PROJECT, lines.append)
    embedder = FakeEmbedder(dimensions=3)
    imported = await ImportProject(PostgresProjectStore(other_database), embedder)(PROJECT, lines)
    assert imported.new["passage"] == 3

    there = PostgresMemoryStore(other_database, on_commit=lambda: None)
    assert await found(there) == expected == {"Is it far?", "It rains."}
    assert await found(there, time=between) == await found(store, time=between)
    again = await ImportProject(PostgresProjectStore(other_database), embedder)(PROJECT, lines)
    assert again.new["passage"] == 0


async def test_another_embedder_embeds_passages_again(
    store: MemoryStore, database: Database
) -> None:
    await add_passages(store, passages(("It rains.",), (), name="Ann"))
    former, next_one = EmbedderIdentity("test/a", 3), EmbedderIdentity("test/b", 3)
    maintenance = PostgresMaintenance(database)
    assert await maintenance.claim_embedder(former) == former
    assert await maintenance.begin_reembedding(next_one)
    [place] = await maintenance.next_texts(9)
    assert place.text == "Ann: It rains."
    await maintenance.replace_embeddings(next_one, [place], [vector(0, 1, 0)])
    assert await maintenance.count_texts() == 0
    async with database.connection() as connection:
        vectors = await connection.fetch("SELECT embedding::text FROM passages WHERE text <> ''")
    assert [row["embedding"] for row in vectors] == ["[0,1,0]"]
