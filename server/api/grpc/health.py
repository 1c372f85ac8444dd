"""The health service: whether the process lives, and whether it can serve calls."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from grpc_health.v1 import health_pb2
from grpc_health.v1.health import aio

from server.core.transient_errors import Overloaded

LIVENESS = ""
READINESS = "memoir.v1.MemoryService"
"""The names of the services whose status is the process's and the server's."""

MOST_HEALTH_WATCHES = 256


class HealthService:
    """Serves `grpc.health.v1.Health`. It does no I/O: `set_ready` sets the server's readiness.

    The library's own servicer has no List and no limit on Watch.
    """

    def __init__(self) -> None:
        self._statuses = aio.HealthServicer()
        self._watches = 0

    async def start(self) -> None:
        """Reports the server as alive, but not ready until `set_ready` says so."""
        await self._set(LIVENESS, serving=True)
        await self._set(READINESS, serving=False)

    async def set_ready(self, ready: bool) -> None:
        """Sets whether calls can be served; without effect once the server drains."""
        await self._set(READINESS, serving=ready)

    async def enter_drain(self) -> None:
        """Reports NOT_SERVING permanently; watchers are notified at once."""
        await self._statuses.enter_graceful_shutdown()

    async def _set(self, service: str, *, serving: bool) -> None:
        status = health_pb2.HealthCheckResponse
        await self._statuses.set(service, status.SERVING if serving else status.NOT_SERVING)

    async def Check(self, request: Any, context: Any) -> Any:  # noqa: N802 - named by the protocol
        """Returns the status of one service; NOT_FOUND if it is unknown."""
        return await self._statuses.Check(request, context)

    async def Watch(self, request: Any, context: Any) -> None:  # noqa: N802 - named by the protocol
        """Sends the status of one service now and at every change.

        Raises:
            Overloaded: 256 clients are watching; they need no key, so their number is bounded.
        """
        if self._watches >= MOST_HEALTH_WATCHES:
            raise Overloaded(timedelta(seconds=1))
        self._watches += 1
        try:
            await self._statuses.Watch(request, context)
        finally:
            self._watches -= 1

    async def List(self, _request: Any, context: Any) -> Any:  # noqa: N802 - named by the protocol
        """Returns the status of all services."""
        statuses = {
            name: await self._statuses.Check(health_pb2.HealthCheckRequest(service=name), context)
            for name in (LIVENESS, READINESS)
        }
        return health_pb2.HealthListResponse(statuses=statuses)
