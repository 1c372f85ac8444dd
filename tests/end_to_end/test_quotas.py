"""Quotas of a project, set by the command line and enforced over the wire."""

from __future__ import annotations

from typing import Any

import grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from memoir.v1 import memory_service_pb2, statistics_service_pb2

from tests.support.api import add
from tests.support.errors import details_of
from tests.support.processes import eventually
from tests.support.server import Client, Home, connected, create_project, key_of, run_command
from tests.support.watch import Watch

# Longer than quotas and counts are kept by a server.
KNOWN_SECONDS = 30.0


async def test_a_project_is_held_to_its_quotas(
    client: Client, shared_home: Home, user: str
) -> None:
    project = f"bounded-{user}"
    await create_project(shared_home.postgres_dsn, project)
    printed = await run_command(
        *("projects", "quota", project, "--memories", "2", "--streams", "1"),
        environment=shared_home.environment,
    )
    assert "memories" in printed
    async with connected(client.address, await key_of(shared_home, project)) as bounded:
        errors: list[grpc.aio.AioRpcError] = []

        async def is_full() -> bool:
            try:
                await add(bounded, user, f"I saw {len(errors)} birds", infer=False)
                await add(bounded, user, "I saw two birds", infer=False)
            except grpc.aio.AioRpcError as error:
                errors.append(error)
            return bool(errors)

        await eventually(is_full, KNOWN_SECONDS)
        refused = details_of(errors[0])
        assert (refused.code, refused.reason) == (
            grpc.StatusCode.RESOURCE_EXHAUSTED,
            "QUOTA_EXCEEDED",
        )
        assert refused.metadata == {"quota": "memories", "limit": "2"}
        assert quota_failures(errors[0]) == ["quota:memories"]
        listed = await bounded.memory.ListMemories(
            memory_service_pb2.ListMemoriesRequest(user_id=user), metadata=bounded.metadata
        )
        assert len(listed.memories) == 2
        answer = await bounded.statistics.GetStatistics(
            statistics_service_pb2.GetStatisticsRequest(), metadata=bounded.metadata
        )
        used = {quota.name: (quota.limit, quota.used) for quota in answer.statistics.quotas}
        assert used == {"memories": (2, 2), "streams": (1, 0)}

        first = Watch(bounded, user_id=user)
        await first.next(1)
        second = await Watch(bounded, user_id=user).end()
        assert details_of(second).metadata == {"quota": "streams", "limit": "1"}
        first.cancel()


def quota_failures(error: grpc.aio.AioRpcError) -> list[str]:
    """The subjects of the error's QuotaFailure."""
    status: Any = rpc_status.from_call(error)
    failure = error_details_pb2.QuotaFailure()
    assert any(detail.Unpack(failure) for detail in status.details)
    return [violation.subject for violation in failure.violations]


async def test_a_quota_is_not_negative(shared_home: Home) -> None:
    output = await run_command(
        *("projects", "quota", "e2e", "--bytes", "-1"),
        environment=shared_home.environment,
        status=2,
    )
    assert "bytes" in output
