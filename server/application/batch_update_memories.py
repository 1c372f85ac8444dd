"""Changing many memories, each for itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

from server.application.batches import item_key, one_by_one
from server.application.calls import new_call
from server.application.once import RequestKey
from server.application.update_memory import UpdatedMemory, UpdateMemory, UpdateMemoryCommand
from server.domain.errors import MemoirError
from server.domain.scope import Scope
from server.domain.values import Vector
from server.ports.clock import Clock
from server.ports.embedder import Embedder, EmbeddingPurpose
from server.ports.memory_changes import MemoryChanges

METHOD = "BatchUpdateMemories"


@dataclass(frozen=True, slots=True)
class BatchUpdateCommand:
    """The updates, in order. The `key` is the batch's; items have none of their own."""

    project_id: str
    items: Sequence[UpdateMemoryCommand]
    key: RequestKey | None = None


class BatchUpdateMemories:
    """Each item is a transaction; the new texts of all are embedded together."""

    def __init__(
        self, update: UpdateMemory, changes: MemoryChanges, embedder: Embedder, clock: Clock
    ) -> None:
        self._update = update
        self._changes = changes
        self._embedder = embedder
        self._clock = clock

    async def __call__(self, command: BatchUpdateCommand) -> list[UpdatedMemory | MemoirError]:
        """One outcome an item, in order.

        With a `key` that came before, items that are done answer what they answered then; the
        others are tried once more.

        Raises:
            RequestIdReused: the request id came before with another payload.
            ModelUnavailable, ModelQuotaExhausted, StoreUnavailable: nothing was changed.
            DeadlineExceeded: the time is up; what is done stays done.
        """
        # It changes no memory itself, and has no scope.
        batch = new_call(command.project_id, Scope(), METHOD, self._clock.now(), command.key)
        done = await self._changes.claim_batch(batch)
        vectors = await self._embed(command.items, done)
        items = [
            replace(item, method=METHOD, key=item_key(command.key, index))
            for index, item in enumerate(command.items)
        ]
        return await one_by_one(
            [partial(self._update, item, vectors.get(index)) for index, item in enumerate(items)]
        )

    async def _embed(
        self, items: Sequence[UpdateMemoryCommand], done: frozenset[int]
    ) -> dict[int, Vector]:
        texts = {
            index: item.changes.new_text
            for index, item in enumerate(items)
            if item.changes.new_text is not None and index + 1 not in done
        }
        vectors = await self._embedder.embed(list(texts.values()), EmbeddingPurpose.DOCUMENT)
        return dict(zip(texts, vectors, strict=True))
