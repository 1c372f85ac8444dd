"""What AddMemories answers."""

from __future__ import annotations

from memoir.v1 import memory_pb2, memory_service_pb2

from server.application.add_memories import AddedChange, AddMemoriesOutcome
from server.domain.notices import Notice
from server.transport.convert.memories import EVENT_TYPES
from server.transport.convert.tokens import consistency_token


def add_response(
    outcome: AddMemoriesOutcome, *, with_relations: bool
) -> memory_service_pb2.AddMemoriesResponse:
    """The response, with the relations where `output_format` asks for them."""
    response = memory_service_pb2.AddMemoriesResponse(
        results=map(_add_result, outcome.changes),
        consistency_token=consistency_token(outcome.position),
        models_used=memory_pb2.ModelsUsed(
            language_model=outcome.language_model or "",
            embedding_model=outcome.embedding_model,
        ),
        notices=map(_notice, outcome.notices),
    )
    if with_relations:
        response.relations.extend(
            memory_service_pb2.AddMemoriesRelation(
                source=added.relation.source.name,
                relation=added.relation.relation,
                target=added.relation.target.name,
                event=EVENT_TYPES[added.event],
            )
            for added in outcome.relations
        )
    return response


def _notice(notice: Notice) -> memory_service_pb2.Notice:
    reason = memory_service_pb2.NoticeReason.Value(f"NOTICE_REASON_{notice.reason}")
    return memory_service_pb2.Notice(reason=reason, text=notice.text)


def _add_result(change: AddedChange) -> memory_service_pb2.AddMemoriesResult:
    return memory_service_pb2.AddMemoriesResult(
        id=str(change.memory_id),
        data=memory_service_pb2.AddMemoriesResult.Data(memory=change.text),
        event=EVENT_TYPES[change.event],
        previous_memory=change.previous_text,
        categories=change.categories,
        version=change.version,
    )
