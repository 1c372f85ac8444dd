"""Builds calls, messages and outcomes, for both verbatim and inferred adds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import itemgetter
from types import MappingProxyType
from uuid import UUID

from server.core.clock import new_id
from server.core.request_context import current_origin, current_request
from server.graph.model import Relation
from server.graph.project.supersession import changed_relations
from server.memories.add.add_memories import (
    ADD_MEMORIES,
    AddedChange,
    AddedRelation,
    AddMemoriesCommand,
    AddMemoriesOutcome,
)
from server.memories.add.proposals import Notice
from server.memories.conversation import Message, StoredMessage
from server.memories.memory import EventType, Evidence, Memory, Provenance
from server.memories.ports import Call, ChangeSet, Committed


@dataclass(frozen=True, slots=True)
class ModelUsage:
    """The models that take part in an add."""

    embedding_model: str
    language_model: str | None = None
    prompt_version: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class AddContext:
    """An add in progress: the command, and the values that all of its memories share."""

    command: AddMemoriesCommand
    call: Call
    messages: Sequence[StoredMessage]
    event_time: datetime
    lease: UUID | None = None


def start_add(
    command: AddMemoriesCommand,
    messages: Sequence[Message],
    now: datetime,
    models: ModelUsage,
    lease: UUID | None = None,
    notices: Sequence[Notice] = (),
) -> AddContext:
    """Starts an add: assigns ids to the call and its messages.

    `lease` is the id of the scope's lease, if the add has taken it.
    """
    event_time = command.event_time or now
    operation = command.operation
    call = Call(
        id=operation.operation_id if operation else new_id(now),
        project_id=command.project_id,
        scope=command.scope,
        method=ADD_MEMORIES,
        time=now,
        correlation_id=current_request().correlation_id,
        traceparent=current_request().traceparent,
        origin=current_origin(),
        embedding_model=models.embedding_model,
        language_model=models.language_model,
        prompt_version=models.prompt_version,
        request_id=command.request_id,
        payload_digest=command.payload_digest,
        input_tokens=models.input_tokens,
        output_tokens=models.output_tokens,
        operation_lease=operation.lease_id if operation else None,
        notices=notices,
    )
    stored = [
        StoredMessage(
            id=new_id(now, ordinal),
            ordinal=ordinal,
            role=message.role,
            content=message.content or "",
            name=message.name,
            event_time=event_time,
        )
        for ordinal, message in enumerate(messages)
    ]
    return AddContext(command, call, stored, event_time, lease)


def provenance(call: Call, evidence: Sequence[Evidence]) -> Provenance:
    """Returns the provenance of a memory of this call."""
    return Provenance(
        call_id=call.id,
        request_id=call.request_id,
        correlation_id=call.correlation_id,
        key_id=call.origin.key_id,
        embedding_model=call.embedding_model,
        language_model=call.language_model,
        prompt_version=call.prompt_version,
        evidence=evidence,
    )


def outcome(
    changes: ChangeSet,
    committed: Committed,
    others: Sequence[tuple[int, AddedChange]] = (),
    previous: Mapping[UUID, Sequence[Relation]] = MappingProxyType({}),
) -> AddMemoriesOutcome:
    """Returns the outcome, in the order of the conversation.

    `others` are the updates and deletions, each with its ordinal; `previous` has the earlier
    relations of the changed memories, by memory.
    """
    fresh = [item for item in changes.added if item.memory.id in committed.added]
    ordered = [(item.ordinal, _added(item.memory)) for item in fresh] + list(others)
    stated = [(item.ordinal, changed_relations((), item.memory.relations)) for item in fresh]
    stated += [
        (r.ordinal, changed_relations(previous.get(r.memory_id, ()), r.relations))
        for r in changes.updated
    ]
    stated += [
        (r.ordinal, changed_relations(previous.get(r.memory_id, ()), ())) for r in changes.deleted
    ]
    return AddMemoriesOutcome(
        call_id=changes.call.id,
        changes=[change for _, change in sorted(ordered, key=itemgetter(0))],
        relations=[
            AddedRelation(changed.relation, changed.event)
            for _, relations in sorted(stated, key=itemgetter(0))
            for changed in relations
        ],
        position=committed.position,
        embedding_model=changes.call.embedding_model,
        language_model=changes.call.language_model,
        notices=changes.call.notices,
    )


def _added(memory: Memory) -> AddedChange:
    return AddedChange(
        memory_id=memory.id,
        event=EventType.ADD,
        text=memory.text,
        previous_text=None,
        categories=memory.categories,
        version=memory.version,
    )
