"""Converting memories and relations to messages."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

import pytest
from memoir.v1 import memory_pb2

from server.api.grpc.convert.memories import EVENT_TYPES, memory_message, relation_message
from server.graph.model import StatedRelation
from server.memories.memory import EventType
from server.memories.scope import Scope
from tests.support.builders import LISBON
from tests.support.full_memory import MEMORY, NOW, as_json


def test_all_fields_of_a_memory_are_converted() -> None:
    assert as_json(memory_message(MEMORY)) == {
        "id": "00000000-0000-0000-0000-000000000001",
        "text": "Alice likes tea",
        "user_id": "u",
        "agent_id": "a",
        "app_id": "p",
        "run_id": "r",
        "metadata": {"n": 1},
        "categories": ["food", "health"],
        "immutable": True,
        "create_time": "2026-11-23T12:00:00Z",
        "update_time": "2026-11-23T12:00:01Z",
        "event_time": "2026-11-22T12:00:00Z",
        "expiration_date": "2027-01-02",
        "inferred": True,
        "role": "user",
        "name": "Alice",
        "version": "3",
        "etag": MEMORY.etag,
        "provenance": {
            "call_id": "00000000-0000-0000-0000-000000000002",
            "request_id": "00000000-0000-0000-0000-000000000003",
            "correlation_id": "correlation-1",
            "language_model": "test/model",
            "prompt_version": "test-1",
            "embedding_model": "test/embedder",
            "evidence": [
                {"message_id": "00000000-0000-0000-0000-000000000004", "quote": "like tea"}
            ],
        },
    }


@pytest.mark.parametrize(
    "field", ["agent_id", "app_id", "run_id", "expiration_date", "role", "name"]
)
def test_missing_values_of_a_memory_are_absent(field: str) -> None:
    bare = replace(MEMORY, scope=Scope("u"), expiration_date=None, role=None, name=None)
    message = memory_message(bare)
    assert message.HasField("user_id")
    assert not message.HasField(field)  # type: ignore[arg-type] # the fields named above


@pytest.mark.parametrize("field", ["request_id", "language_model", "prompt_version"])
def test_arms_and_models_that_were_not_used_are_absent(field: str) -> None:
    provenance = replace(
        MEMORY.provenance, request_id=None, language_model=None, prompt_version=None
    )
    message = memory_message(replace(MEMORY, provenance=provenance)).provenance
    assert message.HasField(field) is False  # type: ignore[arg-type] # the fields named above


def test_a_relation_is_converted() -> None:
    assert as_json(relation_message(StatedRelation(LISBON, UUID(int=1), NOW))) == {
        "source": "Alice",
        "relation": "lives_in",
        "target": "Lisbon",
        "source_type": "person",
        "target_type": "place",
        "memory_id": "00000000-0000-0000-0000-000000000001",
        "event_time": "2026-11-23T12:00:00Z",
        "valid_from": "2026-11-23T12:00:00Z",
    }


def test_every_event_type_has_a_name_in_the_contract() -> None:
    named = {event: memory_pb2.MemoryEvent.Type.Name(value) for event, value in EVENT_TYPES.items()}
    assert named == {event: event.value for event in EventType}
