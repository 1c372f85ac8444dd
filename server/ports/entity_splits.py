"""Names that stand for one entity, and those that were told apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from server.domain.splits import Split


@dataclass(frozen=True, slots=True)
class TaughtName:
    """So many memories of a graph space teach that `alias` is another name of `name`."""

    space: str
    name: str
    alias: str
    memories: int


class EntitySplits(Protocol):
    """What memories teach about names, and what an operator has said against it.

    Every method raises StoreUnavailable where PostgreSQL cannot be reached.
    """

    async def taught(self, project_id: str, space: str | None = None) -> Sequence[TaughtName]:
        """What the memories of one graph space or of all teach, splits apart."""
        ...

    async def splits(
        self, project_id: str, spaces: Sequence[str] | None, at: datetime
    ) -> Sequence[Split]:
        """Those of the splits that there are now which were made by then; in all spaces for None.

        One that was taken back counts as never made.
        """
        ...

    async def split(self, project_id: str, split: Split) -> int:
        """Keeps a split and has the graph follow; how many memories are projected for it.

        Repeating it has those projected again, and changes nothing else.
        """
        ...

    async def rejoin(self, project_id: str, split: Split) -> bool:
        """Takes a split back and has the graph follow; whether there was one."""
        ...
