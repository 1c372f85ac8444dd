"""Converts memories, events and operations to the JSON that Mem0's clients expect."""

from __future__ import annotations

from typing import Any, Final
from uuid import NAMESPACE_OID, uuid5

from google.longrunning import operations_proto_pb2
from google.protobuf.message import Message
from google.protobuf.struct_pb2 import Struct
from memoir.v1 import memory_pb2, memory_service_pb2

from server.api.grpc.convert.values import from_struct
from server.api.http.writing import time_json
from server.memories.scope import SCOPE_FIELDS

_State = memory_service_pb2.OperationMetadata
_STATUS: Final = {
    _State.STATE_QUEUED: "PENDING",
    _State.STATE_RUNNING: "RUNNING",
    _State.STATE_SUCCEEDED: "SUCCEEDED",
    _State.STATE_FAILED: "FAILED",
    _State.STATE_CANCELLED: "FAILED",
}


def optional(message: Message, field: str) -> Any:
    """Returns the value of an optional field; None if it is absent."""
    return getattr(message, field) if message.HasField(field) else None


def metadata_json(metadata: Struct) -> dict[str, Any] | None:
    """Returns the metadata; None if there is none, as in Mem0's responses."""
    return from_struct(metadata) or None


def memory_json(memory: memory_pb2.Memory, run: str = "run_id") -> dict[str, Any]:
    """Returns a memory; `run` is the field of the run's id, which one path calls a session."""
    ids = {name: optional(memory, name) for name in SCOPE_FIELDS}
    ids[run] = ids.pop("run_id")
    return {
        "id": memory.id,
        "memory": memory.text,
        **ids,
        "metadata": metadata_json(memory.metadata),
        "categories": list(memory.categories),
        "immutable": memory.immutable,
        "expiration_date": optional(memory, "expiration_date"),
        "created_at": time_json(memory.create_time),
        "updated_at": time_json(memory.update_time),
    }


def hit_json(hit: memory_service_pb2.SearchMemoriesResult, fields: list[str]) -> dict[str, Any]:
    """Returns one hit of a search; if `fields` are given, only these, the id and the score."""
    found = {**memory_json(hit.memory), "score": hit.score}
    if hit.arms:
        found["score_breakdown"] = {arm.arm: arm.score for arm in hit.arms}
    if not fields:
        return found
    kept = {"id", "memory", "score", *fields}
    return {name: value for name, value in found.items() if name in kept}


def added_json(response: memory_service_pb2.AddMemoriesResponse) -> list[dict[str, Any]]:
    """Returns the changes of an add."""
    return [
        {
            "id": result.id,
            "data": {"memory": result.data.memory},
            "event": memory_pb2.MemoryEvent.Type.Name(result.event),
        }
        for result in response.results
    ]


def added_relations_json(
    response: memory_service_pb2.AddMemoriesResponse,
) -> list[dict[str, Any]]:
    """Returns the relations that an add changed, with the keys that Mem0 uses."""
    return [
        {
            "source": relation.source,
            "relationship": relation.relation,
            "target": relation.target,
            "event": memory_pb2.MemoryEvent.Type.Name(relation.event),
        }
        for relation in response.relations
    ]


def relation_json(relation: memory_pb2.Relation) -> dict[str, Any]:
    """Returns a relation that a search found."""
    return {
        "source": relation.source,
        "source_type": relation.source_type or None,
        "relationship": relation.relation,
        "target": relation.target,
        "target_type": relation.target_type or None,
    }


def history_json(event: memory_pb2.MemoryEvent) -> dict[str, Any]:
    """Returns an entry of a memory's history."""
    state = event.after if event.HasField("after") else event.before
    after = optional(event, "after")
    before = optional(event, "before")
    return {
        "id": str(uuid5(NAMESPACE_OID, f"{event.memory_id}:{event.version}")),
        "memory_id": event.memory_id,
        "input": [
            {"role": state.role, "content": evidence.quote or state.text}
            for evidence in event.provenance.evidence
        ],
        "old_memory": before.text if before else None,
        "new_memory": after.text if after else None,
        "event": memory_pb2.MemoryEvent.Type.Name(event.type),
        **{name: optional(state, name) for name in SCOPE_FIELDS},
        "categories": list(state.categories),
        "metadata": metadata_json(state.metadata),
        "created_at": time_json(event.time),
        "updated_at": time_json(event.time),
    }


def notice_texts(response: memory_service_pb2.AddMemoriesResponse) -> list[str]:
    """Returns the notices of an add, for which Mem0's answers have no place."""
    return [notice.text for notice in response.notices]


def added_by(
    operation: operations_proto_pb2.Operation,
) -> memory_service_pb2.AddMemoriesResponse:
    """Returns the response of an asynchronous add; an empty one if it has none."""
    response = memory_service_pb2.AddMemoriesResponse()
    if operation.HasField("response"):
        operation.response.Unpack(response)
    return response


def event_json(operation: operations_proto_pb2.Operation) -> dict[str, Any]:
    """Returns an asynchronous add as an event of Mem0."""
    metadata = memory_service_pb2.OperationMetadata()
    operation.metadata.Unpack(metadata)
    times = {
        name: optional(metadata, field)
        for name, field in (
            ("created_at", "create_time"),
            ("started_at", "start_time"),
            ("completed_at", "end_time"),
        )
    }
    began, ended = times["started_at"], times["completed_at"]
    latency = (ended.ToNanoseconds() - began.ToNanoseconds()) / 1e6 if began and ended else None
    changed = ended or began or times["created_at"]
    return {
        "id": event_id(operation.name),
        "event_type": "ADD",
        "status": _STATUS.get(metadata.state, "PENDING"),
        "payload": {name: optional(metadata, name) for name in SCOPE_FIELDS},
        "results": added_json(added_by(operation)),
        **{name: time_json(value) if value else None for name, value in times.items()},
        "updated_at": time_json(changed) if changed else None,
        "latency": latency,
        "error": operation.error.message if operation.HasField("error") else None,
    }


def event_id(operation_name: str) -> str:
    """Returns the id of an operation's event: the last part of the operation's name."""
    return operation_name.rpartition("/")[2]
