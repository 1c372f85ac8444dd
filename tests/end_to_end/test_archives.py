"""`export` and `import` as an operator uses them, and the server's responses before and after."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import grpc
import pytest
import pytest_asyncio
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.timestamp_pb2 import Timestamp
from memoir.v1 import graph_service_pb2, memory_pb2, memory_service_pb2, project_service_pb2

from server.api.grpc.convert.values import to_struct
from tests.support.api import add, listed
from tests.support.server import Client, Home, ServerProcess, connected, key_of_new, run_command

USER = "alice"


@pytest_asyncio.fixture
async def origin(shared_home: Home, server: ServerProcess) -> AsyncIterator[Client]:
    """A client of a project of the test's own."""
    async with connected(server.address, await key_of_new(shared_home)) as client:
        yield client


@pytest_asyncio.fixture
async def target(shared_home: Home, server: ServerProcess) -> AsyncIterator[Client]:
    """A client of an empty project of the test's own."""
    async with connected(server.address, await key_of_new(shared_home)) as client:
        yield client


async def project_of(client: Client) -> project_service_pb2.Project:
    answer = await client.project.GetProject(
        project_service_pb2.GetProjectRequest(), metadata=client.metadata
    )
    return answer.project


async def fill(client: Client) -> tuple[str, str, datetime]:
    """Adds memories, then updates one and deletes one.

    Returns the ids of these two, and a time between the additions and the changes.
    """
    await client.project.UpdateProject(
        project_service_pb2.UpdateProjectRequest(
            project=project_service_pb2.Project(custom_instructions="Be exact."),
            update_mask=FieldMask(paths=["custom_instructions"]),
        ),
        metadata=client.metadata,
    )
    await add(client, USER, "I live in Lisbon.", metadata=to_struct({"x": 0.1, "y": {"z": [1]}}))
    await add(client, USER, "I work at Acme.", request_id=str(uuid4()), immutable=True)
    updated = (await add(client, USER, "I have a dog.", infer=False)).results[0].id
    deleted = (await add(client, USER, "I have a cat.", infer=False)).results[0].id
    between = datetime.now(UTC)
    await client.memory.UpdateMemory(
        memory_service_pb2.UpdateMemoryRequest(
            id=updated,
            changes=memory_service_pb2.MemoryChanges(text="I have two dogs."),
            update_mask=FieldMask(paths=["text"]),
        ),
        metadata=client.metadata,
    )
    await client.memory.DeleteMemory(
        memory_service_pb2.DeleteMemoryRequest(id=deleted), metadata=client.metadata
    )
    return updated, deleted, between


async def found(client: Client, query: str) -> list[str]:
    response = await client.memory.SearchMemories(
        memory_service_pb2.SearchMemoriesRequest(user_id=USER, query=query),
        metadata=client.metadata,
    )
    return [result.memory.text for result in response.results]


async def events(client: Client, memory_id: str) -> list[memory_pb2.MemoryEvent]:
    response = await client.memory.ListMemoryEvents(
        memory_service_pb2.ListMemoryEventsRequest(id=memory_id), metadata=client.metadata
    )
    return list(response.events)


def rows_of(path: Path) -> list[dict[str, Any]]:
    """The lines between the first and the last."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()[1:-1]]


@pytest.mark.parametrize("options", [(), ("--embeddings",)], ids=["embedded-anew", "embeddings"])
async def test_a_project_moves_with_everything_that_it_holds(
    shared_home: Home, origin: Client, target: Client, tmp_path: Path, options: tuple[str, ...]
) -> None:
    updated, deleted, between = await fill(origin)
    first, second = tmp_path / "first.jsonl", tmp_path / "second.jsonl"
    from_project, to_project = (await project_of(origin)).id, (await project_of(target)).id

    async def run(*arguments: str) -> None:
        await run_command(*arguments, environment=shared_home.environment)

    await run("export", str(first), "--project", from_project, *options)
    await run("import", str(first), "--project", to_project)
    await run("export", str(second), "--project", to_project, *options)

    assert len(rows_of(first)) > 10
    assert rows_of(first) == rows_of(second)
    assert {"embedding" in row["row"] for row in rows_of(first) if row["kind"] == "memory"} == {
        bool(options)
    }
    assert (await project_of(target)).custom_instructions == "Be exact."
    assert await listed(target, USER) == await listed(origin, USER)
    assert await found(target, "Which dogs?") == await found(origin, "Which dogs?")
    for memory_id in (updated, deleted):
        assert await events(target, memory_id) == await events(origin, memory_id)
    as_it_was = Timestamp()
    as_it_was.FromDatetime(between)
    then = await listed(target, USER, as_of=as_it_was)
    assert {memory.text for memory in then} >= {"I have a dog.", "I have a cat."}
    related = await target.graph.ListRelations(
        graph_service_pb2.ListRelationsRequest(
            user_id=USER,
            # The graph has caught up with everything before it.
            consistency_token=(await add(target, USER, "I play chess.")).consistency_token,
        ),
        metadata=target.metadata,
    )
    assert "acme" in {relation.target.casefold() for relation in related.relations}


async def test_an_import_can_be_repeated_and_undoes_nothing(
    shared_home: Home, origin: Client, target: Client, tmp_path: Path
) -> None:
    await fill(origin)
    archive = tmp_path / "archive.jsonl"
    await run_command(
        "export",
        str(archive),
        "--project",
        (await project_of(origin)).id,
        environment=shared_home.environment,
    )
    load = ("import", str(archive), "--project", (await project_of(target)).id)

    # Half of it was written, as after a crash.
    lines = archive.read_text(encoding="utf-8").splitlines(keepends=True)
    archive.write_text("".join(lines[:-3]), encoding="utf-8")
    output = await run_command(*load, environment=shared_home.environment, status=1)
    assert "truncated" in output
    archive.write_text("".join(lines), encoding="utf-8")
    await run_command(*load, environment=shared_home.environment)
    memories = await listed(target, USER)
    assert memories == await listed(origin, USER)

    gone = memories[0].id
    await target.memory.DeleteMemory(
        memory_service_pb2.DeleteMemoryRequest(id=gone), metadata=target.metadata
    )
    await run_command(*load, environment=shared_home.environment)
    assert [memory.id for memory in await listed(target, USER)] == [m.id for m in memories[1:]]


async def test_an_import_into_a_project_with_other_memories_is_refused(
    shared_home: Home, origin: Client, target: Client, tmp_path: Path
) -> None:
    await add(origin, USER, "I play the cello.", infer=False)
    await add(target, USER, "I play the harp.", infer=False)
    archive = tmp_path / "archive.jsonl"
    from_project, to_project = (await project_of(origin)).id, (await project_of(target)).id
    environment = shared_home.environment
    await run_command("export", str(archive), "--project", from_project, environment=environment)

    output = await run_command(
        "import", str(archive), "--project", to_project, environment=environment, status=1
    )
    assert "already holds" in output
    output = await run_command(
        "import", str(archive), "--project", "nobody", environment=environment, status=1
    )
    assert "there is no project" in output
    assert [memory.text for memory in await listed(target, USER)] == ["I play the harp."]


async def make_mem0_table(dsn: str, name: str, payloads: dict[UUID, dict[str, Any]]) -> None:
    """A table as Mem0 OSS creates it."""
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(
            f'CREATE TABLE "{name}" (id uuid PRIMARY KEY, vector vector(3), payload jsonb)'
        )
        for memory_id, payload in payloads.items():
            await connection.execute(
                f"INSERT INTO \"{name}\" VALUES ($1, '[1,2,3]', $2)",
                memory_id,
                json.dumps(payload),
            )
    finally:
        await connection.close()


async def test_memories_of_mem0_are_imported(shared_home: Home, target: Client) -> None:
    ids = [uuid4() for _ in range(4)]
    created = "2024-07-20T01:30:36.275141-07:00"
    base = {"created_at": created, "updated_at": created, "user_id": USER, "hash": "abc"}
    table = "odd name"
    await make_mem0_table(
        shared_home.postgres_dsn,
        table,
        {
            ids[0]: {**base, "data": "Likes to play cricket", "category": "hobbies", "n": 2},
            ids[1]: {**base, "data": "likes to play  cricket."},
            ids[2]: {**base, "data": "Has a dog", "run_id": "r1", "role": "user"},
            ids[3]: {**base, "data": "Lost", "user_id": None},
        },
    )
    project = (await project_of(target)).id
    arguments = ("import", "--from-mem0", shared_home.postgres_dsn, "--table", f'"{table}"')
    for _ in range(2):
        output = await run_command(
            *arguments, "--project", project, environment=shared_home.environment, status=1
        )
        assert "1 left out: it has neither user_id nor agent_id nor run_id" in output
        assert str(ids[3]) in output

    memories = {memory.id: memory for memory in await listed(target, USER)}
    kept = min(ids[0], ids[1])
    assert set(memories) == {str(kept), str(ids[2])}
    dog = memories[str(ids[2])]
    assert (dog.run_id, dog.role, dog.text) == ("r1", "user", "Has a dog")
    assert dog.create_time.ToDatetime(UTC) == datetime.fromisoformat(created)
    if kept == ids[0]:
        assert dict(memories[str(kept)].metadata) == {"category": "hobbies", "n": 2}
    assert (await found(target, "cricket"))[0] == memories[str(kept)].text
    with pytest.raises(grpc.aio.AioRpcError):
        await events(target, str(ids[3]))
    assert [event.type for event in await events(target, str(kept))] == [memory_pb2.MemoryEvent.ADD]


async def test_an_account_of_mem0s_platform_is_imported(
    shared_home: Home, server: ServerProcess, origin: Client, target: Client, tmp_path: Path
) -> None:
    request = memory_service_pb2.AddMemoriesRequest(user_id=USER, infer=False)
    for number in range(230):
        request.messages.add(role="user", content=f"note {number}")
    await origin.memory.AddMemories(request, metadata=origin.metadata)
    await add(
        origin,
        USER,
        "I keep this",
        infer=False,
        app_id="desk",
        run_id="r1",
        immutable=True,
        expiration_date="2999-01-01",
        metadata=to_struct({"role": "none", "n": 2}),
    )
    key_file = tmp_path / "key"
    key_file.write_text(origin.key + "\n", encoding="utf-8")
    project = (await project_of(target)).id
    arguments = (
        *("import", "mem0-platform", "--host", server.http_address),
        *("--api-key-file", str(key_file), "--project", project),
    )
    for _ in range(2):
        await run_command(*arguments, environment=shared_home.environment)

    before = {memory.id: memory for memory in await listed(origin, USER, page_size=1000)}
    after = {memory.id: memory for memory in await listed(target, USER, page_size=1000)}
    assert len(before) == 231
    assert after.keys() == before.keys()
    for memory_id, memory in after.items():
        original = before[memory_id]
        for field in ("text", "app_id", "run_id", "immutable", "expiration_date", "metadata"):
            assert getattr(memory, field) == getattr(original, field)
        assert memory.create_time == original.create_time
    assert "I keep this" in await found(target, "keep")
    key_file.write_text("mem_wrong", encoding="utf-8")
    output = await run_command(*arguments, environment=shared_home.environment, status=1)
    assert "answered 401" in output


async def test_a_store_gets_its_indexes_for_large_scopes_and_loses_them(shared_home: Home) -> None:
    # Only the owner of a table may create an index on it.
    environment = {**shared_home.environment, "MEMOIR_POSTGRES_DSN": shared_home.postgres_dsn}
    await run_command("index-search", environment=environment)
    assert len(await search_indexes(shared_home)) == 2
    await run_command("index-search", "--drop", environment=environment)
    assert await search_indexes(shared_home) == []


async def search_indexes(home: Home) -> list[asyncpg.Record]:
    connection = await asyncpg.connect(home.postgres_dsn)
    try:
        return list(
            await connection.fetch(
                "SELECT indexname FROM pg_indexes WHERE tablename = 'memories' "
                "AND indexname ~ '^memories_(embedding|lexemes)'"
            )
        )
    finally:
        await connection.close()
