"""memoir.v1.AuditService."""

from __future__ import annotations

from memoir.v1 import audit_service_pb2

from server.api.grpc.convert.answers import fitting_page
from server.api.grpc.convert.requests import DEFAULT_PAGE_SIZE
from server.api.grpc.convert.tokens import number_page_token, read_number_page_token
from server.api.grpc.convert.values import to_struct, to_timestamp
from server.api.grpc.interceptors.access import current_caller
from server.api.grpc.tokens import Tokens
from server.audit.events import AuditEvent
from server.audit.list_events import ListAuditEvents


class AuditService:
    """Reading the audit log. Methods are named as in the contract."""

    def __init__(self, list_events: ListAuditEvents, tokens: Tokens) -> None:
        self._list = list_events
        self._tokens = tokens

    async def ListAuditEvents(  # noqa: N802 - the contract's name
        self, request: audit_service_pb2.ListAuditEventsRequest, _context: object
    ) -> audit_service_pb2.ListAuditEventsResponse:
        """See the contract."""
        project_id = current_caller().project_id
        tokens = await self._tokens.of_project(project_id)
        before = read_number_page_token(tokens, request, request.page_token)

        async def page(size: int) -> audit_service_pb2.ListAuditEventsResponse:
            found = await self._list(project_id, size, before)
            return audit_service_pb2.ListAuditEventsResponse(
                events=map(audit_message, found.events),
                next_page_token=number_page_token(tokens, request, found.next),
            )

        return await fitting_page(page, request.page_size or DEFAULT_PAGE_SIZE, "events")


def audit_message(event: AuditEvent) -> audit_service_pb2.AuditEvent:
    """An event as clients see it."""
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
