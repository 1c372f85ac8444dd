"""Memories and relations as protobuf messages."""

from __future__ import annotations

from memoir.v1 import memory_pb2

from server.domain.graph import StatedRelation
from server.domain.history import MemoryEvent
from server.domain.memory import EventType, Memory, Provenance
from server.transport.convert.values import to_struct, to_timestamp

EVENT_TYPES = {
    EventType.ADD: memory_pb2.MemoryEvent.ADD,
    EventType.UPDATE: memory_pb2.MemoryEvent.UPDATE,
    EventType.DELETE: memory_pb2.MemoryEvent.DELETE,
    EventType.RESTORE: memory_pb2.MemoryEvent.RESTORE,
}


def memory_message(memory: Memory) -> memory_pb2.Memory:
    """A memory as clients see it."""
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


def event_message(event: MemoryEvent) -> memory_pb2.MemoryEvent:
    """An event as clients see it."""
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
        language_model=provenance.language_model,
        prompt_version=provenance.prompt_version,
        embedding_model=provenance.embedding_model,
        evidence=[
            memory_pb2.Evidence(message_id=str(evidence.message_id), quote=evidence.quote)
            for evidence in provenance.evidence
        ],
    )


def relation_message(stated: StatedRelation) -> memory_pb2.Relation:
    """A relation as clients see it."""
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
