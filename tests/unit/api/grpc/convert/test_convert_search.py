"""Converting searches, and splitting results into pages that every client can receive."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
from memoir.v1 import memory_service_pb2

from server.api.grpc.convert.memories import memory_message, search_response
from server.api.grpc.convert.requests import search_command
from server.core.errors import InvalidRequest
from server.core.values import MAX_ANSWER_BYTES
from server.memories.conversation import Role
from server.memories.memory import ArmScore
from server.memories.passages import EVERY_SOURCE, Hit, Passage, Source
from server.memories.scope import Scope
from server.memories.search.search_memories import SearchMemoriesOutcome
from tests.support.builders import NOW
from tests.support.full_memory import MEMORY, as_json
from tests.support.tokens import tokens_of

PASSAGE = Passage(
    id=UUID(int=8),
    message_id=UUID(int=9),
    scope=Scope("u"),
    role=Role.ASSISTANT,
    name=None,
    text="It rains.",
    metadata={},
    event_time=NOW,
    expiration_date=None,
    create_time=NOW,
)


def request(**fields: object) -> memory_service_pb2.SearchMemoriesRequest:
    return memory_service_pb2.SearchMemoriesRequest(query="tea", user_id="u", **fields)  # type: ignore[arg-type] # names fit


def respond(hits: list[Hit], **fields: object) -> memory_service_pb2.SearchMemoriesResponse:
    return search_response(
        request(**fields), SearchMemoriesOutcome(hits, "test/embedder"), tokens_of()
    )


def test_every_state_of_a_memory_is_converted() -> None:
    states = [
        MEMORY,
        replace(MEMORY, text="Coffee.", version=MEMORY.version + 1),
        replace(MEMORY, text="Rain.", update_time=NOW + timedelta(days=9)),
        replace(MEMORY, text="Another project's.", project_id="other"),
    ]
    for memory in [*states, *states]:
        [result] = respond([Hit(memory, 0.9)]).results
        assert result.memory == memory_message(memory)


def test_memories_and_passages_have_their_own_fields() -> None:
    hits: list[Hit] = [
        Hit(MEMORY, 0.9),
        Hit(PASSAGE, 0.5, [ArmScore("dense", 1, 0.5)]),
    ]
    memory, passage = respond(hits, explain=True).results
    assert (memory.WhichOneof("found"), memory.memory.text) == ("memory", MEMORY.text)
    assert as_json(passage) == {
        "passage": {
            "message_id": str(UUID(int=9)),
            "role": "assistant",
            "event_time": "2026-11-23T12:00:00Z",
            "text": "It rains.",
        },
        "score": 0.5,
        "arms": [{"arm": "dense", "rank": 1, "score": 0.5}],
    }
    assert respond(hits).results[1].arms == []


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ([], EVERY_SOURCE),
        ([1], {Source.MEMORIES}),
        ([2], {Source.PASSAGES}),
        ([2, 1], EVERY_SOURCE),
    ],
)
def test_only_the_named_sources_are_searched(given: list[int], meant: set[Source]) -> None:
    assert search_command(request(sources=given), tokens_of()).sources == meant


def test_the_reference_time_of_the_request_is_used() -> None:
    asked = NOW - timedelta(days=365)
    assert search_command(request(reference_time=asked), tokens_of()).reference_time == asked
    assert search_command(request(), tokens_of()).reference_time is None


def test_results_that_do_not_fit_into_a_response_are_read_in_pages() -> None:
    large = replace(PASSAGE, text="\u00e9" * 200_000)
    hits: list[Hit] = [Hit(large, 1 - place / 1000) for place in range(25)]
    seen: list[float] = []
    token = ""
    while True:
        page = respond(hits, page_token=token)
        assert page.ByteSize() <= MAX_ANSWER_BYTES
        seen += [result.score for result in page.results]
        token = page.next_page_token
        if not token:
            break
    assert seen == [hit.score for hit in hits]


def test_a_page_token_of_another_request_is_refused() -> None:
    large = replace(PASSAGE, text="x" * MAX_ANSWER_BYTES)
    hits: list[Hit] = [Hit(large, 0.5)] * 2
    token = respond(hits).next_page_token
    assert len(respond(hits, page_token=token).results) == 1
    with pytest.raises(InvalidRequest):
        respond(hits, page_token=token, explain=True)


def test_a_page_after_the_last_hit_is_empty() -> None:
    large = replace(PASSAGE, text="x" * MAX_ANSWER_BYTES)
    token = respond([Hit(large, 0.5)] * 2).next_page_token
    page = respond([Hit(large, 0.5)], page_token=token)
    assert (list(page.results), page.next_page_token) == ([], "")
