"""Starts the change set of an add, makes its passages, and describes its outcome."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from server.core.clock import new_id
from server.core.values import Vector
from server.graph.project.supersession import changed_relations
from server.memories.add.add_memories import (
    ADD_MEMORIES,
    AddedChange,
    AddedRelation,
    AddMemoriesCommand,
    AddMemoriesOutcome,
)
from server.memories.add.inference import Candidate
from server.memories.add.others_text import find_others_text
from server.memories.add.plan import Plan
from server.memories.add.proposals import MAX_OPERATIONS
from server.memories.change.effects import new_call
from server.memories.changes import Addition, Change, ChangeSet, Deletion, NewPassage, Update
from server.memories.conversation import Message, Role, StoredMessage
from server.memories.memory import EventType, embedded_text
from server.memories.passages import Coverage, Span, left_over, parts_of, passage_digest, spans_of
from server.memories.queries import Committed


def start_add(
    command: AddMemoriesCommand,
    messages: Sequence[Message],
    now: datetime,
    embedding_model: str,
    lease: UUID | None = None,
) -> ChangeSet:
    """Returns the change set of an add that has no changes yet.

    `lease` is the id of the scope's lease, if the add has taken it.
    """
    event_time = command.event_time or now
    call = new_call(
        command.project_id, command.scope, ADD_MEMORIES, now, command.key, embedding_model
    )
    if operation := command.operation:
        call = replace(call, id=operation.operation_id, operation_lease=operation.lease_id)
    return ChangeSet(
        call=call,
        messages=[
            StoredMessage(
                id=new_id(now, ordinal),
                ordinal=ordinal,
                role=message.role,
                content=message.content or "",
                name=message.name,
                event_time=event_time,
            )
            for ordinal, message in enumerate(messages)
        ],
        lease=lease,
        metadata=command.metadata,
        event_time=event_time,
        expiration_date=command.expiration_date,
        inferred=command.infer,
        immutable=command.immutable,
    )


@dataclass(frozen=True, slots=True)
class MessagePart:
    """A part of a message that may become a passage; most messages are one part.

    `text` is the text to embed.
    """

    message_index: int
    number: int
    span: Span
    text: str


def message_parts(messages: Sequence[Message]) -> list[MessagePart]:
    """Returns the parts of all messages except system messages."""
    return [
        MessagePart(
            index, number, span, embedded_text(content[span.start : span.end], message.name)
        )
        for index, message in enumerate(messages)
        if message.role is not Role.SYSTEM and (content := message.content or "")
        for number, span in enumerate(parts_of(content))
    ]


def new_passages(
    draft: ChangeSet, parts: Sequence[MessagePart], vectors: Sequence[Vector], plan: Plan
) -> list[NewPassage]:
    """Returns a passage for each part, of the sentences that became no memory.

    `vectors` are the embeddings of the parts.
    """
    messages = draft.messages
    quotes: dict[int, list[str]] = defaultdict(list)
    for quote in (*plan.evidence, *plan.forget_requests):
        quotes[quote.message_index].append(quote.text)
    covered = {
        index: Coverage(
            [
                *spans_of(message.content, quotes[index]),
                *(Span(others.start, others.end) for others in find_others_text(message.content)),
            ]
        )
        for index, message in enumerate(messages)
    }
    passages: dict[bytes, NewPassage] = {}
    for part, vector in zip(parts, vectors, strict=True):
        message = messages[part.message_index]
        digest = passage_digest(message.role, message.name, message.content, part.number)
        passages[digest] = NewPassage(
            # Ids follow the order of the conversation: a passage comes after the memories.
            passage_id=new_id(draft.call.time, MAX_OPERATIONS + part.number),
            message_id=message.id,
            role=message.role,
            name=message.name,
            digest=digest,
            sentences=left_over(message.content, part.span, covered[part.message_index]),
            embedding=vector,
        )
    return list(passages.values())


def outcome(
    changes: ChangeSet, committed: Committed, candidates: Iterable[Candidate] = ()
) -> AddMemoriesOutcome:
    """Returns what the client is told; `candidates` are the changed memories as they were."""
    before = {candidate.id: candidate for candidate in candidates}
    made = [
        change
        for change in changes.changes
        if not isinstance(change, Addition) or change.memory_id in committed.added
    ]
    return AddMemoriesOutcome(
        call_id=changes.call.id,
        changes=[_added_change(change, before) for change in made],
        relations=[relation for change in made for relation in _added_relations(change, before)],
        position=committed.position,
        embedding_model=changes.call.embedding_model,
        language_model=changes.call.language_model,
        notices=changes.call.notices,
    )


def _added_change(change: Change, before: Mapping[UUID, Candidate]) -> AddedChange:
    id_ = change.memory_id
    match change:
        case Addition():
            return AddedChange(id_, EventType.ADD, change.text, None, change.categories, 1)
        case Update():
            return AddedChange(
                memory_id=id_,
                event=EventType.UPDATE,
                text=change.text,
                previous_text=before[id_].text,
                categories=change.categories,
                version=change.version + 1,
            )
        case Deletion():
            version = change.version + 1
            return AddedChange(id_, EventType.DELETE, before[id_].text, None, (), version)


def _added_relations(change: Change, before: Mapping[UUID, Candidate]) -> list[AddedRelation]:
    earlier = () if isinstance(change, Addition) else before[change.memory_id].relations
    later = () if isinstance(change, Deletion) else change.relations
    return [
        AddedRelation(changed.relation, changed.event)
        for changed in changed_relations(earlier, later)
    ]
