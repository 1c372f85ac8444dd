"""Converts the results of searches to protobuf messages."""

from __future__ import annotations

from memoir.v1 import memory_pb2, memory_service_pb2

from server.api.grpc.convert.answers import fitting_count
from server.api.grpc.convert.memories import memory_message, relation_message
from server.api.grpc.convert.tokens import number_page_token, read_number_page_token
from server.api.grpc.convert.values import to_timestamp
from server.api.grpc.tokens import ProjectTokens
from server.core.pages import MAX_ITEMS_BYTES
from server.memories.memory import ScoredMemory
from server.memories.passages import Hit, Passage
from server.memories.search.search_memories import SearchMemoriesOutcome


def search_response(
    request: memory_service_pb2.SearchMemoriesRequest,
    outcome: SearchMemoriesOutcome,
    tokens: ProjectTokens,
) -> memory_service_pb2.SearchMemoriesResponse:
    """Returns the page of hits that the request asks for, up to the size of an answer.

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
    budget = MAX_ITEMS_BYTES - response.ByteSize()
    for hit in outcome.hits[start:]:
        # Filled in place, because results that are made apart would be copied.
        _fill(response.results.add(), hit, explain=request.explain)
    # At least one, so that every page makes progress.
    count = max(1, fitting_count(response.results, budget))
    has_more = count < len(response.results)
    del response.results[count:]
    response.next_page_token = number_page_token(
        tokens, request, start + count if has_more else None
    )
    return response


def _fill(result: memory_service_pb2.SearchMemoriesResult, hit: Hit, *, explain: bool) -> None:
    result.score = hit.score
    if isinstance(hit, ScoredMemory):
        result.memory.CopyFrom(memory_message(hit.memory))
    else:
        result.passage.CopyFrom(_passage_message(hit.passage))
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
