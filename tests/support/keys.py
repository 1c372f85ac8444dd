"""Clients whose keys have limited rights, and the errors of refused calls."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest

from server.memories.scope import Scope
from server.projects.administration import KeyRights
from server.projects.project import KeyRole
from server.runtime.composition.commands import open_administration
from tests.support.errors import details_of
from tests.support.server import PATIENT_POSTGRES, PROJECT, Client, Home, connected


@asynccontextmanager
async def holding(
    client: Client, home: Home, role: KeyRole = KeyRole.WRITE, scope: Scope | None = None
) -> AsyncIterator[Client]:
    """Yields a client whose key has these rights."""
    async with open_administration(home.postgres_dsn, PATIENT_POSTGRES) as administration:
        _, key = await administration.create_key(
            project_id=PROJECT, org_id=None, label="", rights=KeyRights(role, scope)
        )
    async with connected(client.address, key) as holder:
        yield holder


async def reason(call: Awaitable[Any]) -> tuple[grpc.StatusCode, str, dict[str, str]]:
    """Returns code, reason and metadata of the error with which a call ends."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    details = details_of(caught.value)
    return details.code, details.reason, dict(details.metadata)
