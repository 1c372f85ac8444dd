"""What became of the items of a batch, as responses."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from memoir.v1 import memory_pb2, memory_service_pb2

from server.application.batch_delete_memories import BatchDeleteCommand
from server.application.update_memory import UpdatedMemory
from server.domain.answer_size import MAX_ITEMS_BYTES
from server.domain.errors import MemoirError
from server.domain.scope_kinds import StoredDeletion
from server.transport.answers import fits, fitting_count
from server.transport.convert.memories import memory_message
from server.transport.convert.scopes import receipt_message
from server.transport.convert.tokens import consistency_token
from server.transport.status import to_status

# More than a result takes that has an error, or of a memory its id, version and etag alone.
_BARE_RESULT_BYTES = 2048


def batch_update_response(
    outcomes: Sequence[UpdatedMemory | MemoirError], correlation_id: str
) -> memory_service_pb2.BatchUpdateMemoriesResponse:
    """One result an item. Where not all fits, the last memories come without their content."""
    results = [_update_result(outcome, correlation_id) for outcome in outcomes]
    response = memory_service_pb2.BatchUpdateMemoriesResponse(
        results=results,
        consistency_token=_token(o.position for o in outcomes if isinstance(o, UpdatedMemory)),
    )
    if not fits(response):
        whole = fitting_count(results, MAX_ITEMS_BYTES - len(results) * _BARE_RESULT_BYTES)
        for result in response.results[whole:]:
            if result.HasField("memory"):
                result.memory.CopyFrom(_bare(result.memory))
    return response


def _bare(memory: memory_pb2.Memory) -> memory_pb2.Memory:
    return memory_pb2.Memory(id=memory.id, version=memory.version, etag=memory.etag)


def _update_result(
    outcome: UpdatedMemory | MemoirError, correlation_id: str
) -> memory_service_pb2.BatchUpdateMemoriesResponse.Result:
    if isinstance(outcome, MemoirError):
        error = to_status(outcome, correlation_id)
        return memory_service_pb2.BatchUpdateMemoriesResponse.Result(error=error)
    memory = memory_message(outcome.memory)
    return memory_service_pb2.BatchUpdateMemoriesResponse.Result(memory=memory)


def batch_delete_response(
    command: BatchDeleteCommand,
    outcomes: Sequence[StoredDeletion | MemoirError],
    correlation_id: str,
) -> memory_service_pb2.BatchDeleteMemoriesResponse:
    """One result an item."""
    return memory_service_pb2.BatchDeleteMemoriesResponse(
        results=[
            _delete_result(str(item.memory_id), outcome, correlation_id)
            for item, outcome in zip(command.items, outcomes, strict=True)
        ],
        consistency_token=_token(o.position for o in outcomes if isinstance(o, StoredDeletion)),
    )


def _delete_result(
    memory_id: str, outcome: StoredDeletion | MemoirError, correlation_id: str
) -> memory_service_pb2.BatchDeleteMemoriesResponse.Result:
    if isinstance(outcome, MemoirError):
        error = to_status(outcome, correlation_id)
        return memory_service_pb2.BatchDeleteMemoriesResponse.Result(id=memory_id, error=error)
    return memory_service_pb2.BatchDeleteMemoriesResponse.Result(
        id=memory_id, receipt=receipt_message(outcome.receipt)
    )


def _token(positions: Iterable[int]) -> str:
    """The token of the latest change; where nothing was changed, one that waits for nothing."""
    return consistency_token(max(positions, default=0))
