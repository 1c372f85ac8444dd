"""Connections that show the rows of one project only, where PostgreSQL is told to see to it.

Every table with a `project_id` has row-level security: a role that is subject to it sees the rows
of the project in the session's setting `memoir.project`, and none without it. Superusers and
roles with BYPASSRLS are not subject to it, and so need no setting.
https://www.postgresql.org/docs/current/ddl-rowsecurity.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

import asyncpg

from server.storage.postgres.statements import load_sql

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

    _Connection = asyncpg.Connection[asyncpg.Record]
else:
    _Connection = asyncpg.Connection

ALL_PROJECTS: Final = "*"
"""What stands for all projects, for the service's own work and the command line."""

SQL = load_sql("connections.sql")


class ConfinedConnection(_Connection):
    """A connection that knows which project's rows it shows."""

    __slots__ = ("_is_subject", "_shown")

    def __init__(self, *arguments: Any, **options: Any) -> None:
        """Takes the arguments of asyncpg's connection."""
        super().__init__(*arguments, **options)
        self._is_subject = False
        self._shown: str | None = None

    def subject_to_row_security(self) -> None:
        """Says that the connection's role is subject to row-level security."""
        self._is_subject = True

    def shows(self, project_id: str | None) -> bool:
        """Whether it shows the rows of this project already; None stands for all projects."""
        return not self._is_subject or self._shown == (project_id or ALL_PROJECTS)

    async def show(self, project_id: str | None) -> None:
        """Shows the rows of this project alone, from now on. Costs a round trip."""
        shown = project_id or ALL_PROJECTS
        # Until the answer is there, nobody knows: the statement may have been interrupted.
        self._shown = None
        await self.execute(*SQL["show"](shown=shown))
        self._shown = shown


def confined(connection: PoolConnectionProxy[asyncpg.Record]) -> ConfinedConnection:
    """The connection of the pool, whose proxy passes on what it does not know itself."""
    return cast("ConfinedConnection", connection)
