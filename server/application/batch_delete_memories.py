"""Deleting many memories, each for itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

from server.application.batches import item_key, one_by_one
from server.application.calls import new_call
from server.application.delete_memory import DeleteMemory, DeleteMemoryCommand
from server.application.once import RequestKey
from server.domain.errors import MemoirError
from server.domain.scope import Scope
from server.domain.scope_kinds import StoredDeletion
from server.ports.clock import Clock
from server.ports.memory_changes import MemoryChanges

METHOD = "BatchDeleteMemories"


@dataclass(frozen=True, slots=True)
class BatchDeleteCommand:
    """The deletions, in order. The `key` is the batch's; items have none of their own."""

    project_id: str
    items: Sequence[DeleteMemoryCommand]
    key: RequestKey | None = None


class BatchDeleteMemories:
    """Each item is a transaction."""

    def __init__(self, delete: DeleteMemory, changes: MemoryChanges, clock: Clock) -> None:
        self._delete = delete
        self._changes = changes
        self._clock = clock

    async def __call__(self, command: BatchDeleteCommand) -> list[StoredDeletion | MemoirError]:
        """The receipt of each deletion, or why there was none, in order.

        With a `key` that came before, items that are done answer what they answered then; the
        others are tried once more.

        Raises:
            RequestIdReused: the request id came before with another payload.
            StoreUnavailable: nothing was deleted.
            DeadlineExceeded: the time is up; what is done stays done.
        """
        # It changes no memory itself, and has no scope.
        batch = new_call(command.project_id, Scope(), METHOD, self._clock.now(), command.key)
        await self._changes.claim_batch(batch)
        items = [
            replace(item, method=METHOD, key=item_key(command.key, index))
            for index, item in enumerate(command.items)
        ]
        return await one_by_one([partial(self._delete, item) for item in items])
