"""Erasing what has expired, and whole projects."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Protocol

from server.domain.scope_kinds import DeletionReceipt
from server.ports.memory_store import Call


class Retention(Protocol):
    """What no server should keep any longer, in all projects.

    Several servers may ask at once: one of them works, the others find nothing to do.
    """

    async def purge(
        self, expired_before: date, limit: int, call_of: Callable[[str], Call]
    ) -> DeletionReceipt | None:
        """Erases up to `limit` memories of one project, deleted ones too; None if there are none.

        `call_of` makes the call for the project that was found. A memory that others change at this
        moment is left for the next time.

        Raises:
            StoreUnavailable: nothing was erased.
            ConcurrentChange: others changed the same memories; nothing was erased.
        """
        ...


class ProjectDeletion(Protocol):
    """Deleting a project in small steps. Every method raises StoreUnavailable."""

    async def begin(self, project_id: str, now: datetime) -> bool:
        """Closes the project to all calls and deletes its keys; False if nothing is kept of it.

        A server believes for a few seconds more what it has found about keys and projects.
        """
        ...

    async def count(self, project_id: str) -> int:
        """How many rows there are to delete."""
        ...

    async def delete_batch(self, project_id: str, limit: int) -> Mapping[str, int]:
        """Deletes up to `limit` rows and answers how many of which table; empty at the end.

        The graph follows by the outbox, which stays.
        """
        ...

    async def finish(self, project_id: str) -> None:
        """Deletes the project itself."""
        ...
