"""A memory with a value in every field, and messages as JSON."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from google.protobuf import json_format

from server.memories.conversation import Role
from server.memories.memory import Evidence, Memory, Provenance
from server.memories.scope import Scope

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
MEMORY = Memory(
    id=UUID(int=1),
    project_id="project-1",
    scope=Scope("u", "a", "p", "r"),
    text="Alice likes tea",
    metadata={"n": 1},
    categories=("food", "health"),
    immutable=True,
    create_time=NOW,
    update_time=NOW + timedelta(seconds=1),
    event_time=NOW - timedelta(days=1),
    expiration_date=date(2027, 1, 2),
    inferred=True,
    role=Role.USER,
    name="Alice",
    version=3,
    provenance=Provenance(
        call_id=UUID(int=2),
        request_id=UUID(int=3),
        correlation_id="correlation-1",
        embedding_model="test/embedder",
        language_model="test/model",
        prompt_version="test-1",
        evidence=(Evidence(UUID(int=4), "like tea"),),
    ),
)


def as_json(message: object) -> object:
    """Returns the message with the names of the contract."""
    return json_format.MessageToDict(message, preserving_proto_field_name=True)  # type: ignore[arg-type] # any message
