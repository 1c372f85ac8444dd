"""Updates or deletes several memories, each in its own transaction."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Generic, TypeVar

from server import failpoints
from server.core.clock import Clock
from server.core.errors import DeadlineExceeded, MemoirError
from server.core.transient_errors import Overloaded, StoreUnavailable
from server.core.values import Vector
from server.memories.change.deletion import DeleteMemory, DeleteMemoryCommand
from server.memories.change.effects import new_call
from server.memories.change.update_memory import UpdatedMemory, UpdateMemory, UpdateMemoryCommand
from server.memories.ports import MemoryStore
from server.memories.scope import Scope, StoredDeletion
from server.models.ports import Embedder, EmbeddingPurpose
from server.operations.idempotency import RequestKey

BATCH_UPDATE_MEMORIES = "BatchUpdateMemories"
BATCH_DELETE_MEMORIES = "BatchDeleteMemories"

ItemT = TypeVar("ItemT", UpdateMemoryCommand, DeleteMemoryCommand)


@dataclass(frozen=True, slots=True)
class BatchCommand(Generic[ItemT]):
    """The changes, in order. The `key` belongs to the batch; items have no keys."""

    project_id: str
    items: Sequence[ItemT]
    key: RequestKey | None = None

    def items_of(self, method: str) -> list[ItemT]:
        """Returns the items as calls of the batch, each with its own key."""
        return [
            replace(item, method=method, key=self._key_of(number))
            for number, item in enumerate(self.items, start=1)
        ]

    def _key_of(self, number: int) -> RequestKey | None:
        return self.key and replace(self.key, item=number)


class BatchUpdateCommand(BatchCommand[UpdateMemoryCommand]):
    """Updates in order."""

    __slots__ = ()


class BatchDeleteCommand(BatchCommand[DeleteMemoryCommand]):
    """Deletions in order."""

    __slots__ = ()


class BatchUpdateMemories:
    """Updates several memories; embeds all new texts together."""

    def __init__(
        self, update: UpdateMemory, store: MemoryStore, embedder: Embedder, clock: Clock
    ) -> None:
        self._update = update
        self._store = store
        self._embedder = embedder
        self._clock = clock

    async def __call__(self, command: BatchUpdateCommand) -> list[UpdatedMemory | MemoirError]:
        """Returns the outcome or the error of each item, in order.

        If the `key` was used before, items that succeeded return their earlier outcomes; the others
        are retried.

        Raises:
            RequestIdReused: the request id was used before with another payload.
            ModelUnavailable, ModelQuotaExhausted, StoreUnavailable: nothing was changed.
            DeadlineExceeded: the deadline has passed; completed updates stay.
        """
        done = await _claim(self._store, command, BATCH_UPDATE_MEMORIES, self._clock)
        vectors = await self._embed(command.items, done)
        items = command.items_of(BATCH_UPDATE_MEMORIES)
        return await _one_by_one(
            [partial(self._update, item, vectors.get(n)) for n, item in enumerate(items, start=1)]
        )

    async def _embed(
        self, items: Sequence[UpdateMemoryCommand], done: frozenset[int]
    ) -> dict[int, Vector]:
        """Returns the vectors of the new texts by the numbers of their items."""
        texts = {
            number: item.changes.new_text
            for number, item in enumerate(items, start=1)
            if item.changes.new_text is not None and number not in done
        }
        vectors = await self._embedder.embed(list(texts.values()), EmbeddingPurpose.DOCUMENT)
        return dict(zip(texts, vectors, strict=True))


class BatchDeleteMemories:
    """Deletes several memories."""

    def __init__(self, delete: DeleteMemory, store: MemoryStore, clock: Clock) -> None:
        self._delete = delete
        self._store = store
        self._clock = clock

    async def __call__(self, command: BatchDeleteCommand) -> list[StoredDeletion | MemoirError]:
        """Returns the receipt or the error of each deletion, in order.

        If the `key` was used before, items that succeeded return their earlier receipts; the others
        are retried.

        Raises:
            RequestIdReused: the request id was used before with another payload.
            StoreUnavailable: nothing was deleted.
            DeadlineExceeded: the deadline has passed; completed deletions stay.
        """
        await _claim(self._store, command, BATCH_DELETE_MEMORIES, self._clock)
        items = command.items_of(BATCH_DELETE_MEMORIES)
        return await _one_by_one([partial(self._delete, item) for item in items])


async def _claim(
    store: MemoryStore, command: BatchCommand[ItemT], method: str, clock: Clock
) -> frozenset[int]:
    """Takes the batch's request id, and returns the numbers of items that are already done."""
    # The batch's own call changes no memory and has no scope.
    return await store.claim_batch(
        new_call(command.project_id, Scope(), method, clock.now(), command.key)
    )


T = TypeVar("T")


async def _one_by_one(actions: Sequence[Callable[[], Awaitable[T]]]) -> list[T | MemoirError]:
    """Returns the result of each item, in order. Items may depend on earlier ones.

    If the store becomes unavailable or overloaded, the remaining items are not tried.

    Raises:
        DeadlineExceeded: the deadline has passed; completed items stay done.
    """
    outcomes: list[T | MemoirError] = []
    for act in actions:
        try:
            outcomes.append(await act())
            failpoints.reach("batch.middle")
        except DeadlineExceeded:
            raise
        except (StoreUnavailable, Overloaded) as error:
            return outcomes + [error] * (len(actions) - len(outcomes))
        except MemoirError as error:
            outcomes.append(error)
    return outcomes
