"""Counting what a project holds in PostgreSQL."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime

from server.adapters.postgres.pool import Database
from server.adapters.statements import load_statements
from server.domain.memory import EventType
from server.domain.statistics import ChangeCounts, Holdings

SQL = load_statements("server.adapters.postgres.sql", "statistics.sql")


class PostgresStatistics:
    """Implements `server.ports.statistics.StatisticsStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def holdings(self, project_id: str, visible_on: date) -> Holdings:
        """See the port."""
        async with self._database.connection() as connection:
            row = await connection.fetchrow(SQL["holdings"], project_id, visible_on)
        assert row is not None
        return Holdings(**row)

    async def changes(
        self, project_id: str, since: datetime, lately: datetime
    ) -> tuple[ChangeCounts, ChangeCounts]:
        """See the port."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(SQL["changes"], project_id, since, lately)
        return (
            _counts({row["type"]: row["since"] for row in rows}),
            _counts({row["type"]: row["lately"] for row in rows}),
        )


def _counts(by_type: Mapping[str, int]) -> ChangeCounts:
    return ChangeCounts(*(by_type.get(kind, 0) for kind in EventType))
