"""What PostgreSQL holds under correlation ids."""

from __future__ import annotations

from server.adapters.postgres.pool import Database
from server.adapters.statements import load_statements
from server.domain.memory import EventType
from server.domain.operation import OperationState
from server.ports.request_traces import RequestTrace, TracedCall, TracedChange, TracedOperation

SQL = load_statements("server.adapters.postgres.sql", "traces.sql")


class PostgresRequestTraces:
    """Implements `server.ports.request_traces.RequestTraces`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, correlation_id: str, project_id: str | None = None) -> RequestTrace:
        """See the port."""
        async with self._database.connection() as connection:
            calls = await connection.fetch(SQL["calls"], correlation_id, project_id)
            changes = await connection.fetch(
                SQL["changes"],
                [call["project_id"] for call in calls],
                [call["call_id"] for call in calls],
            )
            operations = await connection.fetch(SQL["operations"], correlation_id, project_id)
        return RequestTrace(
            calls=[TracedCall(**call) for call in calls],
            changes=[
                TracedChange(**{**change, "type": EventType(change["type"])}) for change in changes
            ],
            operations=[
                TracedOperation(**{**row, "state": OperationState(row["state"])})
                for row in operations
            ],
        )
