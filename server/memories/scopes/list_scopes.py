"""Lists the users, agents, apps and runs of a project."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from server.core.values import Clock
from server.memories.change.ports import MemoryChanges
from server.memories.memory import today
from server.memories.scope import ScopeKind, ScopeSummary


@dataclass(frozen=True, slots=True)
class ScopeCursor:
    """The last scope of the previous page."""

    kind: ScopeKind
    id: str


@dataclass(frozen=True, slots=True)
class ListScopesCommand:
    """Which kind of scope, or None for all, and where the previous page ended (`after`)."""

    project_id: str
    page_size: int
    kind: ScopeKind | None = None
    after: ScopeCursor | None = None


@dataclass(frozen=True, slots=True)
class ScopePage:
    """One page, and where the next page starts, if there is one."""

    scopes: Sequence[ScopeSummary]
    next: ScopeCursor | None


class ListScopes:
    """Reads scopes page by page, by kind and id."""

    def __init__(self, scopes: MemoryChanges, clock: Clock) -> None:
        self._scopes = scopes
        self._clock = clock

    async def __call__(self, command: ListScopesCommand) -> ScopePage:
        """Returns one page.

        Raises:
            StoreUnavailable: the scopes cannot be read.
        """
        # Reads one more than requested, to know whether there is a next page.
        wanted = command.page_size + 1
        visible_on = today(self._clock.now())
        found: list[ScopeSummary] = []
        for kind, after_id in _kinds_from(command):
            if len(found) < wanted:
                found += await self._scopes.list_scopes(
                    command.project_id, kind, after_id, wanted - len(found), visible_on
                )
        page = found[: command.page_size]
        more = len(found) > command.page_size
        return ScopePage(page, ScopeCursor(page[-1].kind, page[-1].id) if more else None)


def _kinds_from(command: ListScopesCommand) -> list[tuple[ScopeKind, str]]:
    """Returns the kinds still to be listed, each with the id to start after."""
    kinds = [command.kind] if command.kind else list(ScopeKind)
    after = command.after
    if after is None:
        return [(kind, "") for kind in kinds]
    rest = kinds[kinds.index(after.kind) :] if after.kind in kinds else []
    return [(kind, after.id if kind is after.kind else "") for kind in rest]
