"""Indexes for searches of very large scopes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol


class SearchIndexing(Protocol):
    """The indexes by which large scopes find what is nearest to a question or shares words with it.

    Servers may go on working, and use the indexes, or do without them, within a minute. Both
    methods raise StoreUnavailable where PostgreSQL cannot be reached.
    """

    async def build(
        self, memory_mib: int, on_progress: Callable[[int, int], None] = lambda _done, _total: None
    ) -> None:
        """Builds what is not there yet, with so much memory.

        Raises:
            StoreUnready: no server has worked on this store, so it has no embedder yet.
        """
        ...

    async def drop(self) -> None:
        """Removes all of them."""
        ...
