"""memoir.v1.ProjectService, memoir.v1.StatisticsService and memoir.v1.AuditService."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Final

from memoir.v1 import audit_service_pb2, project_service_pb2, statistics_service_pb2

from server.api.grpc.convert.projects import (
    interval_seconds,
    project_message,
    statistics_message,
    update_project_command,
)
from server.api.grpc.convert.requests import DEFAULT_PAGE_SIZE
from server.api.grpc.convert.tokens import (
    Tokens,
    fitting_page,
    number_page_token,
    read_number_page_token,
)
from server.api.grpc.convert.values import to_struct, to_timestamp
from server.api.grpc.interceptors.access import current_caller
from server.core.caches import SharedAnswers
from server.core.transient_errors import ShuttingDown
from server.projects.administration import ListAuditEvents
from server.projects.manage_project import GetProject, UpdateProject
from server.projects.project import AuditEvent
from server.projects.statistics import GetStatistics


class ProjectService:
    """Reads and changes a project's settings. Its methods are those of the contract."""

    def __init__(self, get: GetProject, update: UpdateProject) -> None:
        self._get = get
        self._update = update

    async def GetProject(
        self, _request: project_service_pb2.GetProjectRequest, _context: object
    ) -> project_service_pb2.GetProjectResponse:
        project = await self._get(current_caller().project_id)
        return project_service_pb2.GetProjectResponse(project=project_message(project))

    async def UpdateProject(
        self, request: project_service_pb2.UpdateProjectRequest, _context: object
    ) -> project_service_pb2.UpdateProjectResponse:
        command = update_project_command(request, current_caller().project_id)
        project = await self._update(command)
        return project_service_pb2.UpdateProjectResponse(project=project_message(project))


WATCHED_SECONDS: Final = 0.1
"""How long all watchers of a project share one answer: the shortest interval that they can set."""


class StatisticsService:
    """Reads the statistics of a project. Its methods are those of the contract."""

    def __init__(self, get: GetStatistics, draining: asyncio.Event) -> None:
        self._get = get
        self._draining = draining
        self._watched = SharedAnswers(self._answer, WATCHED_SECONDS)

    async def GetStatistics(
        self, _request: statistics_service_pb2.GetStatisticsRequest, _context: object
    ) -> statistics_service_pb2.GetStatisticsResponse:
        statistics = await self._get(current_caller().project_id)
        return statistics_service_pb2.GetStatisticsResponse(
            statistics=statistics_message(statistics)
        )

    async def WatchStatistics(
        self, request: statistics_service_pb2.WatchStatisticsRequest, _context: object
    ) -> AsyncIterator[statistics_service_pb2.WatchStatisticsResponse]:
        project_id, seconds = current_caller().project_id, interval_seconds(request)
        while not self._draining.is_set():
            yield await self._watched(project_id)
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._draining.wait()
        raise ShuttingDown

    async def _answer(self, project_id: str) -> statistics_service_pb2.WatchStatisticsResponse:
        return statistics_service_pb2.WatchStatisticsResponse(
            statistics=statistics_message(await self._get(project_id))
        )


class AuditService:
    """Reads the audit log. Its methods are those of the contract."""

    def __init__(self, list_events: ListAuditEvents, tokens: Tokens) -> None:
        self._list = list_events
        self._tokens = tokens

    async def ListAuditEvents(
        self, request: audit_service_pb2.ListAuditEventsRequest, _context: object
    ) -> audit_service_pb2.ListAuditEventsResponse:
        tokens = await self._tokens.of_project(current_caller().project_id)
        before = read_number_page_token(tokens, request, request.page_token)

        async def page(size: int) -> audit_service_pb2.ListAuditEventsResponse:
            found = await self._list(tokens.project_id, size, before)
            return audit_service_pb2.ListAuditEventsResponse(
                events=map(_audit_message, found.items),
                next_page_token=number_page_token(tokens, request, found.next),
            )

        return await fitting_page(page, request.page_size or DEFAULT_PAGE_SIZE, "events")


def _audit_message(event: AuditEvent) -> audit_service_pb2.AuditEvent:
    return audit_service_pb2.AuditEvent(
        id=str(event.id),
        time=to_timestamp(event.time),
        action=event.action,
        key_id=event.key_id or "",
        peer=event.peer or "",
        correlation_id=event.correlation_id,
        target=to_struct(event.target),
        before=to_struct(event.before),
        after=to_struct(event.after),
    )
