"""The quick check accepts only what protovalidate accepts."""

from __future__ import annotations

import random
from typing import Any

import protovalidate
import pytest
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from memoir.v1 import memory_pb2, memory_service_pb2

from server.api.grpc.compiled_rules import surely_valid
from server.api.grpc.server import CONTRACT
from tests.support.seeds import FIXED

REQUESTS = {
    method.input_type.full_name: method.input_type
    for service in CONTRACT
    for method in service.methods
}
UUID = "01933b5e-9c6a-7bbb-8d2e-0123456789ab"
TEXTS = ["", "a", "user", "v1.1", "\n", "\u200b", UUID, "2026-01-02", "x" * 300, "x" * 20_000]
NUMBERS = [-1, 0, 1, 2, 1000, 1001]
DEEPEST = 4


def filled(kind: Descriptor, chance: random.Random, depth: int = 0) -> Message:
    message = GetMessageClass(kind)()
    for field in kind.fields:
        if depth < DEEPEST and chance.random() < chance.choice((0.1, 0.6)):
            fill(message, field, chance, depth)
    return message


def fill(message: Message, field: FieldDescriptor, chance: random.Random, depth: int) -> None:
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        return
    if field.is_repeated:
        values = [value(field, chance, depth) for _ in range(chance.randrange(4))]
        getattr(message, field.name).extend(values)
    elif field.message_type is not None:
        getattr(message, field.name).CopyFrom(value(field, chance, depth))
    else:
        setattr(message, field.name, value(field, chance, depth))


def value(field: FieldDescriptor, chance: random.Random, depth: int) -> Any:
    if field.message_type is not None:
        return filled(field.message_type, chance, depth + 1)
    if field.type == FieldDescriptor.TYPE_STRING:
        return chance.choice(TEXTS)
    if field.type == FieldDescriptor.TYPE_BYTES:
        return b"bytes"
    if field.type == FieldDescriptor.TYPE_BOOL:
        return chance.random() < 0.5
    return chance.choice(NUMBERS)


@pytest.mark.parametrize("name", REQUESTS)
def test_the_quick_check_agrees_with_protovalidate(name: str) -> None:
    chance = random.Random(f"{FIXED} {name}")
    for _ in range(150):
        request = filled(REQUESTS[name], chance)
        if surely_valid(request):
            assert not protovalidate.collect_violations(request), request


def search(**fields: Any) -> memory_service_pb2.SearchMemoriesRequest:
    return memory_service_pb2.SearchMemoriesRequest(**{"user_id": "u", "query": "q"} | fields)


def add(**fields: Any) -> memory_service_pb2.AddMemoriesRequest:
    messages = [memory_pb2.Message(role="user", content="I moved to Lisbon")]
    return memory_service_pb2.AddMemoriesRequest(
        **{"user_id": "u", "messages": messages, "output_format": "v1.1"} | fields
    )


@pytest.mark.parametrize(
    "request_",
    [
        search(),
        search(top_k=10, threshold=0.2, categories=["home"], project_id="p"),
        search(filters={"user_id": "u"}),
        add(),
        add(metadata={"k": [1, {"a": None}]}, request_id=UUID, infer=False),
        memory_service_pb2.GetMemoryRequest(id=UUID),
        memory_service_pb2.ListMemoriesRequest(user_id="u", page_size=5),
    ],
)
def test_ordinary_requests_need_only_the_quick_check(request_: Message) -> None:
    assert surely_valid(request_)


@pytest.mark.parametrize(
    "request_",
    [
        search(query=""),
        search(user_id=""),
        search(user_id="a\x7f"),
        search(top_k=1001),
        search(threshold=float("nan")),
        search(categories=[""]),
        search(sources=[1, 1]),
        memory_service_pb2.SearchMemoriesRequest(query="q"),
        add(messages=[]),
        add(messages=[memory_pb2.Message(role="nobody", content="a")]),
        add(messages=[memory_pb2.Message(role="user", content="a" * 262_145)]),
        add(request_id="1"),
        memory_service_pb2.GetMemoryRequest(),
    ],
)
def test_requests_that_may_break_a_rule_are_left_to_protovalidate(request_: Message) -> None:
    assert not surely_valid(request_)
    assert protovalidate.collect_violations(request_)
