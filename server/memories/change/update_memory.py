"""Updates named fields of memories, one or many."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeVar
from uuid import UUID

from server import failpoints
from server.core.clock import Clock
from server.core.errors import (
    ConcurrentChange,
    DeadlineExceeded,
    EtagMismatch,
    MemoirError,
    MemoryImmutable,
    MemoryNotFound,
    StoreUnavailable,
)
from server.core.values import Vector
from server.memories.change.effects import FieldChanges, new_call, with_changes
from server.memories.changes import Call, Replacement
from server.memories.memory import Memory, embedded_text, today
from server.memories.ports import MemoryStore
from server.memories.scope import Scope, is_within
from server.models.ports import Embedder, EmbeddingPurpose
from server.operations.idempotency import RequestKey, once


@dataclass(frozen=True, slots=True)
class UpdateMemoryCommand:
    """The memory to change, the changes, and the etag that it must still have.

    If `within` is given, memories outside of that scope are not found.
    """

    project_id: str
    memory_id: UUID
    changes: FieldChanges
    etag: str | None = None
    key: RequestKey | None = None
    method: str = "UpdateMemory"
    within: Scope | None = None


@dataclass(frozen=True, slots=True)
class UpdatedMemory:
    """The memory after the change; `position` becomes the consistency token."""

    memory: Memory
    position: int


async def earlier_change(
    store: MemoryStore, project_id: str, key: RequestKey
) -> UpdatedMemory | None:
    """Returns the stored outcome of an earlier call with this key, if there is one.

    Raises:
        RequestIdReused: the key was used with another payload.
    """
    call = await store.find_call(project_id, key.id, key.item)
    if call is None:
        return None
    key.require_same(call.payload_digest)
    return UpdatedMemory(call.changes[0].memory, call.position) if call.changes else None


@contextmanager
def stale_etag(memory_id: UUID, etag: str | None) -> Iterator[None]:
    """Reports a concurrent change as a stale etag, if the client gave an etag.

    Raises:
        EtagMismatch: the memory has changed since the etag was read.
    """
    try:
        yield
    except ConcurrentChange:
        if etag is not None:
            raise EtagMismatch(memory_id) from None
        raise


class UpdateMemory:
    """Updates a visible memory: two round trips, and one embedding if the text changes."""

    def __init__(self, store: MemoryStore, embedder: Embedder, clock: Clock) -> None:
        self._store = store
        self._embedder = embedder
        self._clock = clock

    def __call__(
        self, command: UpdateMemoryCommand, vector: Vector | None = None
    ) -> Coroutine[Any, Any, UpdatedMemory]:
        """Applies the change and returns the new state.

        If the `key` was used before, it only returns the stored outcome. `vector` is the embedding
        of the new text, if the caller already has it.

        Raises:
            RequestIdReused: the request id was used before with another payload.
            MemoryNotFound: the project does not have it, or it has expired.
            MemoryImmutable: it can never be changed.
            EtagMismatch: it has changed since the etag was read.
            ConcurrentChange: another call changed it at the same time.
            MemoryDuplicate: another memory of its scope would be equal to it.
            ModelUnavailable, ModelQuotaExhausted, StoreUnavailable: nothing was changed.
        """
        earlier = partial(earlier_change, self._store, command.project_id)
        return once(command.key, earlier, lambda: self._update(command, vector))

    async def _update(self, command: UpdateMemoryCommand, vector: Vector | None) -> UpdatedMemory:
        before = await self._read(command)
        text = command.changes.new_text
        embedding = None
        if text is not None and text != before.text:
            compared = embedded_text(text, None if before.inferred else before.name)
            # A batch embeds only the text, while a verbatim memory is embedded with its speaker's
            # name.
            embedding = (
                vector if vector is not None and compared == text else await self._embed(compared)
            )
        call = self._call(command, before, embedded=embedding is not None)
        after = with_changes(before, command.changes, call)
        with stale_etag(command.memory_id, command.etag):
            position = await self._store.replace(call, Replacement(after, embedding))
        return UpdatedMemory(after, position)

    async def _read(self, command: UpdateMemoryCommand) -> Memory:
        memory = await self._store.get(
            command.project_id, command.memory_id, today(self._clock.now())
        )
        if memory is None or not is_within(memory.scope, command.within):
            raise MemoryNotFound(command.memory_id)
        if memory.immutable:
            raise MemoryImmutable(command.memory_id)
        if command.etag is not None and command.etag != memory.etag:
            raise EtagMismatch(command.memory_id)
        return memory

    async def _embed(self, text: str) -> Vector:
        [vector] = await self._embedder.embed([text], EmbeddingPurpose.DOCUMENT)
        return vector

    def _call(self, command: UpdateMemoryCommand, before: Memory, *, embedded: bool) -> Call:
        model = self._embedder.model if embedded else before.provenance.embedding_model
        return new_call(
            command.project_id,
            before.scope,
            command.method,
            self._clock.now(),
            command.key,
            model,
        )


T = TypeVar("T")


async def one_by_one(actions: Sequence[Callable[[], Awaitable[T]]]) -> list[T | MemoirError]:
    """Returns the result of each item, in order. Items may depend on earlier ones.

    If the store becomes unavailable, the remaining items are not tried.

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
        except StoreUnavailable as error:
            return outcomes + [error] * (len(actions) - len(outcomes))
        except MemoirError as error:
            outcomes.append(error)
    return outcomes


def item_key(batch: RequestKey | None, index: int) -> RequestKey | None:
    """Returns the key of the batch's item at `index`, from 0."""
    return batch and RequestKey(batch.id, batch.digest, index + 1)


BATCH_UPDATE_MEMORIES = "BatchUpdateMemories"


@dataclass(frozen=True, slots=True)
class BatchUpdateCommand:
    """The updates, in order. The `key` belongs to the batch; items have no keys."""

    project_id: str
    items: Sequence[UpdateMemoryCommand]
    key: RequestKey | None = None


class BatchUpdateMemories:
    """Updates several memories, each in its own transaction; embeds all new texts together."""

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
        # The batch's own call changes no memory and has no scope.
        batch = new_call(
            command.project_id, Scope(), BATCH_UPDATE_MEMORIES, self._clock.now(), command.key
        )
        done = await self._store.claim_batch(batch)
        vectors = await self._embed(command.items, done)
        items = [
            replace(item, method=BATCH_UPDATE_MEMORIES, key=item_key(command.key, index))
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
