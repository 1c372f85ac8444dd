"""Searches between protobuf messages and the application."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from memoir.v1 import memory_pb2, memory_service_pb2

from server.application.search_memories import SearchMemoriesOutcome
from server.domain.memory import ScoredMemory
from server.domain.passages import Hit, Passage
from server.transport.convert.memories import memory_message, relation_message
from server.transport.convert.tokens import number_page_token, read_number_page_token
from server.transport.convert.values import to_timestamp

ANSWER_BYTES: Final = 4 * 1024 * 1024
"""The largest answer that clients receive by default."""

# The tag and the length of a result, and the token.
_BESIDE_RESULT: Final = 8
_RESERVED: Final = 1024


def search_response(
    request: memory_service_pb2.SearchMemoriesRequest, outcome: SearchMemoriesOutcome
) -> memory_service_pb2.SearchMemoriesResponse:
    """The page of the hits that the request asks for, as large as an answer may be.

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
    start = read_number_page_token(request, request.page_token)
    room = ANSWER_BYTES - _RESERVED - response.ByteSize()
    page = list(_fitting(outcome.hits[start:], room, explain=request.explain))
    response.results.extend(page)
    end = start + len(page)
    response.next_page_token = number_page_token(request, end if end < len(outcome.hits) else None)
    return response


def _fitting(
    hits: Sequence[Hit], room: int, *, explain: bool
) -> Iterator[memory_service_pb2.SearchMemoriesResult]:
    """The first results that fit; at least one, so that every page leads on."""
    for place, hit in enumerate(hits):
        result = _result(hit, explain=explain)
        room -= result.ByteSize() + _BESIDE_RESULT
        if room < 0 and place:
            return
        yield result


def _result(hit: Hit, *, explain: bool) -> memory_service_pb2.SearchMemoriesResult:
    result = memory_service_pb2.SearchMemoriesResult(score=hit.score)
    if isinstance(hit, ScoredMemory):
        result.memory.CopyFrom(memory_message(hit.memory))
    else:
        result.passage.CopyFrom(_passage_message(hit.passage))
    if explain:
        for arm in hit.arms:
            result.arms.add(arm=arm.arm, rank=arm.rank, score=arm.score)
    return result


def _passage_message(passage: Passage) -> memory_service_pb2.Passage:
    return memory_service_pb2.Passage(
        message_id=str(passage.message_id),
        role=passage.role,
        name=passage.name,
        event_time=to_timestamp(passage.event_time),
        text=passage.text,
    )
