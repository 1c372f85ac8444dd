"""Converts memories, relations, search results and the outcome of AddMemories to messages."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Final

from memoir.v1 import memory_pb2, memory_service_pb2

from server.api.grpc.convert.tokens import (
    ProjectTokens,
    consistency_token,
    fitting_count,
    number_page_token,
    read_number_page_token,
)
from server.api.grpc.convert.values import to_struct, to_timestamp
from server.core.caches import SizedCache
from server.core.values import MAX_ITEMS_BYTES
from server.graph.model import StatedRelation
from server.memories.add.add_memories import AddedChange, AddMemoriesOutcome
from server.memories.add.proposals import Notice
from server.memories.memory import EventType, Memory, MemoryEvent, Provenance
from server.memories.passages import Hit, Passage
from server.memories.search.search_memories import SearchMemoriesOutcome

_ENCODED_BYTES: Final = 16 * 1024 * 1024
"""The maximum size of the cached messages of recently found memories."""

EVENT_TYPES = {
    EventType.ADD: memory_pb2.MemoryEvent.ADD,
    EventType.UPDATE: memory_pb2.MemoryEvent.UPDATE,
    EventType.DELETE: memory_pb2.MemoryEvent.DELETE,
    EventType.RESTORE: memory_pb2.MemoryEvent.RESTORE,
}


def memory_message(memory: Memory) -> memory_pb2.Memory:
    """Returns a memory as clients see it."""
    return memory_pb2.Memory(
        id=str(memory.id),
        text=memory.text,
        user_id=memory.scope.user_id,
        agent_id=memory.scope.agent_id,
        app_id=memory.scope.app_id,
        run_id=memory.scope.run_id,
        metadata=to_struct(memory.metadata),
        categories=memory.categories,
        immutable=memory.immutable,
        create_time=to_timestamp(memory.create_time),
        update_time=to_timestamp(memory.update_time),
        event_time=to_timestamp(memory.event_time),
        expiration_date=memory.expiration_date.isoformat() if memory.expiration_date else None,
        inferred=memory.inferred,
        role=memory.role,
        name=memory.name,
        version=memory.version,
        etag=memory.etag,
        provenance=_provenance_message(memory.provenance),
    )


# Searches of a scope find the same memories again and again, and their messages never change.
_encoded_memories: Final[SizedCache[Hashable, bytes]] = SizedCache(_ENCODED_BYTES, len)


def _encoded(memory: Memory) -> bytes:
    """Returns the message of a memory in binary form, which is faster to copy than to build."""
    key = memory.project_id, memory.id, memory.version, memory.update_time
    encoded = _encoded_memories.get(key)
    if encoded is None:
        encoded = memory_message(memory).SerializeToString()
        _encoded_memories.put(key, encoded)
    return encoded


def event_message(event: MemoryEvent) -> memory_pb2.MemoryEvent:
    """Returns an event as clients see it."""
    return memory_pb2.MemoryEvent(
        memory_id=str(event.memory_id),
        type=EVENT_TYPES[event.type],
        version=event.version,
        time=to_timestamp(event.time),
        before=memory_message(event.before) if event.before else None,
        after=memory_message(event.after) if event.after else None,
        provenance=_provenance_message(event.provenance),
    )


def _provenance_message(provenance: Provenance) -> memory_pb2.Provenance:
    return memory_pb2.Provenance(
        call_id=str(provenance.call_id),
        request_id=str(provenance.request_id) if provenance.request_id else None,
        correlation_id=provenance.correlation_id,
        key_id=provenance.key_id or "",
        language_model=provenance.language_model,
        prompt_version=provenance.prompt_version,
        embedding_model=provenance.embedding_model,
        evidence=[
            memory_pb2.Evidence(message_id=str(evidence.message_id), quote=evidence.quote)
            for evidence in provenance.evidence
        ],
    )


def relation_message(stated: StatedRelation) -> memory_pb2.Relation:
    """Returns a relation as clients see it."""
    relation, end = stated.relation, stated.superseded_at
    return memory_pb2.Relation(
        source=relation.source.name,
        relation=relation.relation,
        target=relation.target.name,
        source_type=relation.source.type,
        target_type=relation.target.type,
        memory_id=str(stated.memory_id),
        event_time=to_timestamp(stated.event_time),
        valid_from=to_timestamp(stated.event_time),
        superseded_at=None if end is None else to_timestamp(end),
    )


def add_response(
    outcome: AddMemoriesOutcome, tokens: ProjectTokens, *, with_relations: bool
) -> memory_service_pb2.AddMemoriesResponse:
    """Returns the response, with the relations if `output_format` is v1.1."""
    response = memory_service_pb2.AddMemoriesResponse(
        results=map(_add_result, outcome.changes),
        consistency_token=consistency_token(tokens, outcome.position),
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


def search_response(
    request: memory_service_pb2.SearchMemoriesRequest,
    outcome: SearchMemoriesOutcome,
    tokens: ProjectTokens,
) -> memory_service_pb2.SearchMemoriesResponse:
    """Returns the requested page of hits, up to the maximum size of a response.

    Raises:
        InvalidRequest: the page token is not one of this request.
    """
    response = memory_service_pb2.SearchMemoriesResponse(
        relations=map(relation_message, outcome.relations),
        degraded=[
            memory_service_pb2.DegradedArm(arm=part.arm, reason=part.reason)
            for part in outcome.degraded
        ],
        models_used=memory_pb2.ModelsUsed(
            language_model=outcome.language_model or "",
            embedding_model=outcome.embedding_model,
        ),
    )
    start = read_number_page_token(tokens, request, request.page_token)
    others = response.ByteSize()
    for hit in outcome.hits[start:]:
        # Filled in place, because separate results would be copied.
        _fill(response.results.add(), hit, explain=request.explain)
    if response.ByteSize() > MAX_ITEMS_BYTES:
        # At least one, so that every page makes progress.
        count = max(1, fitting_count(response.results, MAX_ITEMS_BYTES - others))
        if count < len(response.results):
            del response.results[count:]
            response.next_page_token = number_page_token(tokens, request, start + count)
    return response


def _fill(result: memory_service_pb2.SearchMemoriesResult, hit: Hit, *, explain: bool) -> None:
    result.score = hit.score
    if isinstance(hit.found, Memory):
        result.memory.ParseFromString(_encoded(hit.found))
    else:
        result.passage.CopyFrom(_passage_message(hit.found))
    if explain:
        for arm in hit.arms:
            result.arms.add(arm=arm.arm, rank=arm.rank, score=arm.score)


def _passage_message(passage: Passage) -> memory_service_pb2.Passage:
    return memory_service_pb2.Passage(
        message_id=str(passage.message_id),
        role=passage.role,
        name=passage.name,
        event_time=to_timestamp(passage.event_time),
        text=passage.text,
    )
