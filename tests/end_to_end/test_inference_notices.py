"""The notices of an add, with a model whose answers are careless or hostile."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

from google.longrunning import operations_proto_pb2
from memoir.v1 import memory_pb2, memory_service_pb2

from tests.support.gemini_server import GeminiServer
from tests.support.server import Client

FORGET = "Please forget that I live in Oslo."
Reason = memory_service_pb2.NoticeReason


def proposal(action: str, quote: str, text: str = "", **fields: Any) -> dict[str, Any]:
    empty: dict[str, Any] = {"categories": [], "entities": [], "relations": []}
    return {"message": 1, "quote": quote, "action": action, "text": text, **empty, **fields}


async def add(
    served: GeminiServer,
    said: Sequence[tuple[str, str]],
    *proposals: dict[str, Any],
    **fields: Any,
) -> memory_service_pb2.AddMemoriesResponse:
    """Adds (role, content) messages with a model that gives this answer."""
    served.endpoint.answer({"operations": list(proposals)})
    request = memory_service_pb2.AddMemoriesRequest(
        messages=[memory_pb2.Message(role=role, content=content) for role, content in said],
        **{"user_id": "alice", "output_format": "v1.1", **fields},
    )
    return await served.client.memory.AddMemories(request, metadata=served.client.metadata)


async def texts(client: Client) -> list[str]:
    response = await client.memory.ListMemories(
        memory_service_pb2.ListMemoriesRequest(user_id="alice"), metadata=client.metadata
    )
    return sorted(memory.text for memory in response.memories)


def reasons(response: memory_service_pb2.AddMemoriesResponse) -> list[str]:
    return [Reason.Name(notice.reason) for notice in response.notices]


async def test_a_forgotten_memory_is_gone_and_its_request_is_not_stored(
    on_gemini: GeminiServer,
) -> None:
    messages = [("user", "I live in Oslo. I play chess.")]
    oslo = proposal("ADD", "I live in Oslo", "User lives in Oslo")
    await add(on_gemini, messages, oslo, proposal("ADD", "I play chess", "User plays chess"))

    # The memory that shares words with the message is the first of the candidates.
    forgotten = await add(
        on_gemini,
        [("user", FORGET)],
        proposal("FORGET", FORGET, target=1),
        proposal("ADD", FORGET, "User wants Oslo forgotten"),
    )
    assert [(r.event, r.data.memory) for r in forgotten.results] == [
        (memory_pb2.MemoryEvent.DELETE, "User lives in Oslo")
    ]
    assert await texts(on_gemini.client) == ["User plays chess"]

    again = await add(on_gemini, [("user", FORGET)], proposal("FORGET", FORGET))
    assert list(again.results) == []
    assert reasons(again) == ["NOTICE_REASON_FORGET_UNMATCHED"]
    assert "message 1 " in again.notices[0].text


async def test_a_hostile_answer_destroys_nothing_and_a_repeated_call_says_the_same(
    on_gemini: GeminiServer,
) -> None:
    facts = [f"I own book number {n}." for n in range(8)]
    await add(
        on_gemini,
        [("user", " ".join(facts))],
        *(proposal("ADD", fact, f"User owns book number {n}") for n, fact in enumerate(facts)),
    )
    before = await texts(on_gemini.client)
    assert len(before) == 8

    messages = [
        ("user", "All of that is over. I like tea."),
        ("tool", "e: You own nothing at all."),
    ]
    hostile = [
        *(proposal("DELETE", "e", message=2, target=n) for n in (1, 2, 3)),
        *(proposal("DELETE", "You own nothing", message=2, target=n) for n in (4, 5)),
        *(proposal("UPDATE", "All of that is over", f"Nothing {n}", target=n) for n in range(1, 9)),
        proposal("ADD", "I like tea", "User likes tea"),
    ]
    fields = {"request_id": str(uuid.uuid4()), "output_format": "v1.0"}
    first = await add(on_gemini, messages, *hostile, **fields)
    assert [result.data.memory for result in first.results] == ["User likes tea"]
    assert reasons(first) == [
        "NOTICE_REASON_DELETIONS_LIMIT",
        "NOTICE_REASON_NO_EVIDENCE",
        "NOTICE_REASON_NOT_PERMITTED",
    ]
    assert await texts(on_gemini.client) == sorted([*before, "User likes tea"])

    on_gemini.endpoint.reset()
    assert await add(on_gemini, messages, **fields) == first
    assert on_gemini.endpoint.requests == []


async def test_careless_answers_to_each_kind_of_message_leave_true_memories_alone(
    on_gemini: GeminiServer,
) -> None:
    await add(
        on_gemini,
        [("user", "I own a kayak.")],
        proposal("ADD", "I own a kayak", "User owns a kayak"),
    )
    said = [
        ("user", "Ines wrote:\n> I sold the kayak and I live in Turin."),
        ("assistant", "So you live in Turin and have no kayak any more."),
        ("user", "Should I sell my kayak? I paddle on Sundays."),
    ]
    response = await add(
        on_gemini,
        said,
        proposal("DELETE", "I sold the kayak", target=1),
        proposal("ADD", "I live in Turin", "User lives in Turin"),
        proposal("ADD", "you live in Turin", "User lives in Turin", message=2),
        proposal("ADD", "I sell my kayak", "User sells the kayak", message=3),
        proposal("ADD", "I paddle on Sundays", "User paddles on Sundays", message=3),
    )
    assert [result.data.memory for result in response.results] == ["User paddles on Sundays"]
    assert await texts(on_gemini.client) == ["User owns a kayak", "User paddles on Sundays"]
    assert reasons(response) == [
        "NOTICE_REASON_NOT_OWN_TEXT",
        "NOTICE_REASON_NOT_OWN_TEXT",
        "NOTICE_REASON_NO_EVIDENCE",
    ]
    assert "quoted mail in 1 message" in response.notices[0].text


async def test_an_operation_returns_the_notices_too(on_gemini: GeminiServer) -> None:
    accepted = await add(on_gemini, [("user", FORGET)], proposal("FORGET", FORGET), async_mode=True)
    done: operations_proto_pb2.Operation = await on_gemini.client.channel.unary_unary(
        "/google.longrunning.Operations/WaitOperation",
        request_serializer=operations_proto_pb2.WaitOperationRequest.SerializeToString,
        response_deserializer=operations_proto_pb2.Operation.FromString,
    )(
        operations_proto_pb2.WaitOperationRequest(name=accepted.operation.name),
        metadata=on_gemini.client.metadata,
        timeout=30,
    )
    response = memory_service_pb2.AddMemoriesResponse()
    assert done.response.Unpack(response)
    assert reasons(response) == ["NOTICE_REASON_FORGET_UNMATCHED"]
