"""The settings of a project over the wire, on a project of the test's own."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import grpc
import pytest
import pytest_asyncio
from google.protobuf.field_mask_pb2 import FieldMask
from memoir.v1 import memory_pb2, project_service_pb2

from tests.support.api import add, listed
from tests.support.errors import details_of
from tests.support.server import Client, Home, ServerProcess, connected, create_project, key_of

OWN = "settings"


@pytest_asyncio.fixture(scope="session")
async def own_key(shared_home: Home, server: ServerProcess) -> str:
    """A key of a project that only this test uses."""
    await create_project(shared_home.postgres_dsn, OWN)
    return await key_of(shared_home, OWN)


async def test_settings_are_read_changed_and_applied(
    server: ServerProcess, client: Client, own_key: str, user: str
) -> None:
    async with connected(server.address, own_key) as own:
        before = (
            await own.project.GetProject(
                project_service_pb2.GetProjectRequest(), metadata=own.metadata
            )
        ).project
        assert (before.id, before.default_retention_days) == (OWN, 0)
        expected = project_service_pb2.Project(
            custom_instructions="Only\0 facts.",
            custom_categories=[memory_pb2.CustomCategory(name="wine", description="drinks")],
            default_retention_days=3,
        )
        request = project_service_pb2.UpdateProjectRequest(
            project=expected,
            update_mask=FieldMask(paths=["custom_instructions", "default_retention_days"]),
            etag=before.etag,
        )
        after = (await own.project.UpdateProject(request, metadata=own.metadata)).project
        assert (after.custom_instructions, after.default_retention_days) == ("Only facts.", 3)
        assert list(after.custom_categories) == []
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await own.project.UpdateProject(request, metadata=own.metadata)
        error = details_of(caught.value)
        assert (error.code, error.reason) == (grpc.StatusCode.ABORTED, "ETAG_MISMATCH")

        days = {datetime.now(UTC).date() + timedelta(days=3)}
        await add(own, user, "I play the cello.", infer=False)
        days.add(datetime.now(UTC).date() + timedelta(days=3))
        await add(own, user, "I work at Acme.", expiration_date="2999-12-31")
        newest, oldest = await listed(own, user)
        assert oldest.expiration_date in {day.isoformat() for day in days}
        assert newest.expiration_date == "2999-12-31"
    other = await client.project.GetProject(
        project_service_pb2.GetProjectRequest(), metadata=client.metadata
    )
    assert other.project.default_retention_days == 0
