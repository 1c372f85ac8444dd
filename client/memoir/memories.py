"""A memory, its provenance and its history.

Instants are datetimes in UTC. `from_proto` builds each value from its message in the contract.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from google.protobuf.json_format import MessageToDict
from memoir.v1 import memory_pb2
from memoir.values import optional_string, to_datetime


class EventType(StrEnum):
    """What happened to a memory or a relation."""

    UNSPECIFIED = "TYPE_UNSPECIFIED"
    ADD = "ADD"
    UPDATE = "UPDATE"
    DELETE = "DELETE"
    RESTORE = "RESTORE"

    @classmethod
    def from_proto(cls, number: memory_pb2.MemoryEvent.Type.ValueType) -> EventType:
        """Returns the value of a message."""
        return cls(memory_pb2.MemoryEvent.Type.Name(number))


@dataclass(frozen=True, slots=True)
class Evidence:
    """The quote of a message that supports a memory."""

    message_id: str
    quote: str


@dataclass(frozen=True, slots=True)
class Provenance:
    """The origin of a memory: call, API key, models and messages; `key_id` is "" if unknown."""

    call_id: str
    request_id: str | None
    correlation_id: str
    language_model: str | None
    prompt_version: str | None
    embedding_model: str
    evidence: tuple[Evidence, ...]
    key_id: str

    @classmethod
    def from_proto(cls, message: memory_pb2.Provenance) -> Provenance:
        """Returns the provenance in a message."""
        return cls(
            call_id=message.call_id,
            request_id=optional_string(message, "request_id"),
            correlation_id=message.correlation_id,
            language_model=optional_string(message, "language_model"),
            prompt_version=optional_string(message, "prompt_version"),
            embedding_model=message.embedding_model,
            evidence=tuple(Evidence(e.message_id, e.quote) for e in message.evidence),
            key_id=message.key_id,
        )


@dataclass(frozen=True, slots=True)
class Memory:
    """One memory: an inferred fact, or a verbatim message (`inferred` is False)."""

    id: str
    text: str
    user_id: str | None
    agent_id: str | None
    app_id: str | None
    run_id: str | None
    metadata: dict[str, Any]
    categories: tuple[str, ...]
    immutable: bool
    create_time: datetime
    update_time: datetime
    event_time: datetime
    expiration_date: date | None
    inferred: bool
    role: str | None
    name: str | None
    version: int
    etag: str
    provenance: Provenance

    @classmethod
    def from_proto(cls, message: memory_pb2.Memory) -> Memory:
        """Returns the memory in a message."""
        expiration = optional_string(message, "expiration_date")
        return cls(
            id=message.id,
            text=message.text,
            user_id=optional_string(message, "user_id"),
            agent_id=optional_string(message, "agent_id"),
            app_id=optional_string(message, "app_id"),
            run_id=optional_string(message, "run_id"),
            metadata=MessageToDict(message.metadata),
            categories=tuple(message.categories),
            immutable=message.immutable,
            create_time=to_datetime(message.create_time),
            update_time=to_datetime(message.update_time),
            event_time=to_datetime(message.event_time),
            expiration_date=date.fromisoformat(expiration) if expiration else None,
            inferred=message.inferred,
            role=optional_string(message, "role"),
            name=optional_string(message, "name"),
            version=message.version,
            etag=message.etag,
            provenance=Provenance.from_proto(message.provenance),
        )


@dataclass(frozen=True, slots=True)
class MemoryEvent:
    """One entry of a memory's history. `cursor` is set on events of a stream: resume after it."""

    memory_id: str
    type: EventType
    version: int
    time: datetime
    before: Memory | None
    after: Memory | None
    provenance: Provenance
    cursor: str = ""

    @classmethod
    def from_proto(cls, message: memory_pb2.MemoryEvent, cursor: str = "") -> MemoryEvent:
        """Returns the event in a message."""
        return cls(
            memory_id=message.memory_id,
            type=EventType.from_proto(message.type),
            version=message.version,
            time=to_datetime(message.time),
            before=Memory.from_proto(message.before) if message.HasField("before") else None,
            after=Memory.from_proto(message.after) if message.HasField("after") else None,
            provenance=Provenance.from_proto(message.provenance),
            cursor=cursor,
        )
