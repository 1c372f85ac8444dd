"""Deleting a project by the command line while a server runs."""

from __future__ import annotations

import pytest
from memoir.v1 import memory_service_pb2
from neo4j import AsyncDriver

from tests.support.api import add, listed
from tests.support.dump import tables_with
from tests.support.outbox import outbox_empties
from tests.support.postgres import opened
from tests.support.server import Client, Home, connected, create_project, key_of, run_command

SETTLE_SECONDS = 60.0


async def entities(driver: AsyncDriver, project: str) -> int:
    records, _, _ = await driver.execute_query(
        "MATCH (n {project_id: $project}) RETURN count(n) AS found",
        project=project,
        database_="neo4j",
    )
    return int(records[0]["found"])


async def test_nothing_but_the_audit_log_of_a_deleted_project_is_left(
    client: Client, user: str, shared_home: Home, neo4j_driver: AsyncDriver
) -> None:
    project = f"doomed-{user}"
    await create_project(shared_home.postgres_dsn, project)
    async with connected(client.address, await key_of(shared_home, project)) as doomed:
        await add(doomed, user, "I work at Acme.")
        await doomed.memory.DeleteMemory(
            memory_service_pb2.DeleteMemoryRequest(
                id=(await add(doomed, user, "I sing.", infer=False)).results[0].id
            ),
            metadata=doomed.metadata,
        )
    await add(client, user, "I sing.", infer=False)
    await outbox_empties(shared_home.postgres_dsn, SETTLE_SECONDS)
    assert await entities(neo4j_driver, project) > 0

    refused = await run_command(
        "projects", "delete", project, environment=shared_home.environment, status=1
    )
    assert "use --yes" in refused
    printed = await run_command(
        "projects", "delete", project, "--yes", environment=shared_home.environment
    )

    assert "1 rows of memories" in printed
    assert "3 rows of memory_events" in printed
    assert f"deleted project {project}" in printed
    await outbox_empties(shared_home.postgres_dsn, SETTLE_SECONDS)
    async with opened(shared_home.postgres_dsn, pool_size=1) as database:
        assert await tables_with(database, project) == {"audit_events"}
    assert await entities(neo4j_driver, project) == 0
    assert len(await listed(client, user)) == 1
    again = await run_command(
        "projects", "delete", project, "--yes", environment=shared_home.environment, status=1
    )
    assert "there is no project" in again


@pytest.mark.parametrize("arguments", [(), ("--yes",)])
async def test_an_unknown_project_is_reported_only_after_confirmation(
    shared_home: Home, arguments: tuple[str, ...]
) -> None:
    printed = await run_command(
        "projects", "delete", "nobody's", *arguments,
        environment=shared_home.environment, status=1,
    )  # fmt: skip
    assert ("there is no project" in printed) == bool(arguments)
