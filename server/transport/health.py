"""The standard health service: liveness as `""`, readiness as `memoir.v1.MemoryService`."""

from __future__ import annotations

from typing import Any

from grpc_health.v1 import health_pb2
from grpc_health.v1.health import aio

LIVENESS = ""
READINESS = "memoir.v1.MemoryService"


class HealthService:
    """What the server says about itself. It does no I/O: readiness is told to it."""

    def __init__(self) -> None:
        self._statuses = aio.HealthServicer()
        self.servicer = HealthServicer(self._statuses)

    async def start(self) -> None:
        """Alive, and not ready until told."""
        await self._set(LIVENESS, serving=True)
        await self._set(READINESS, serving=False)

    async def set_ready(self, ready: bool) -> None:
        """Says whether calls can be served; without effect once the server drains."""
        await self._set(READINESS, serving=ready)

    async def enter_drain(self) -> None:
        """Sends new calls elsewhere for good; watchers learn of it at once."""
        await self._statuses.enter_graceful_shutdown()

    async def _set(self, service: str, *, serving: bool) -> None:
        status = health_pb2.HealthCheckResponse
        await self._statuses.set(service, status.SERVING if serving else status.NOT_SERVING)


class HealthServicer:
    """Answers `grpc.health.v1.Health`; the library's servicer does not know List."""

    def __init__(self, statuses: aio.HealthServicer) -> None:
        self._statuses = statuses

    async def Check(self, request: Any, context: Any) -> Any:  # noqa: N802 - named by the protocol
        """The status of one service; NOT_FOUND for one that is not known."""
        return await self._statuses.Check(request, context)

    async def Watch(self, request: Any, context: Any) -> None:  # noqa: N802 - named by the protocol
        """The status of one service now and at every change."""
        await self._statuses.Watch(request, context)

    async def List(self, _request: Any, context: Any) -> Any:  # noqa: N802 - named by the protocol
        """The status of all services."""
        statuses = {
            name: await self._statuses.Check(health_pb2.HealthCheckRequest(service=name), context)
            for name in (LIVENESS, READINESS)
        }
        return health_pb2.HealthListResponse(statuses=statuses)
