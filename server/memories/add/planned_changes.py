"""Turns a checked plan into a change set with passages."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

from server.core.clock import new_id
from server.core.values import Vector
from server.memories.add.add_memories import AddedChange
from server.memories.add.change_sets import AddContext, provenance
from server.memories.add.duplicates import KnownFacts, StatedFact
from server.memories.add.inference import Candidate
from server.memories.add.others_text import find_others_text
from server.memories.add.plan import MAX_OPERATIONS, AddFact, DeleteFact, Plan, UpdateFact
from server.memories.conversation import Message, Role
from server.memories.memory import EventType, Evidence, Memory, embedded_text, fact_digest
from server.memories.passages import Coverage, Span, left_over, parts_of, passage_digest, spans_of
from server.memories.ports import (
    ChangeSet,
    EmbeddedMemory,
    MemoryDeletion,
    MemoryUpdate,
    NewPassage,
    NewPassages,
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
    add: AddContext, parts: Sequence[MessagePart], vectors: Sequence[Vector], plan: Plan
) -> NewPassages:
    """Returns the sentences that the plan leaves over; `vectors` belong to the parts."""
    command, messages = add.command, add.messages
    quotes: dict[int, list[str]] = defaultdict(list)
    for passage in (*plan.evidence, *plan.forget_requests):
        quotes[passage.message_index].append(passage.text)
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
            passage_id=new_id(add.call.time, MAX_OPERATIONS + part.number),
            message_id=message.id,
            role=message.role,
            name=message.name,
            digest=digest,
            sentences=left_over(message.content, part.span, covered[part.message_index]),
            embedding=vector,
        )
    return NewPassages(list(passages.values()), command.metadata, command.expiration_date)


@dataclass(frozen=True, slots=True)
class PlannedChanges:
    """A plan's operations by kind, each with its place in the plan."""

    additions: Sequence[tuple[int, AddFact]]
    updates: Sequence[tuple[int, UpdateFact]]
    deletions: Sequence[tuple[int, DeleteFact]]

    @property
    def texts(self) -> list[str]:
        """Returns the texts to embed: first of the additions, then of the updates."""
        return [o.text for _, o in self.additions] + [o.text for _, o in self.updates]

    @property
    def answers(self) -> list[tuple[int, AddedChange]]:
        """Returns the updates and deletions as the outcome reports them, with their ordinals."""
        updated = [(ordinal, _answer_update(operation)) for ordinal, operation in self.updates]
        deleted = [(ordinal, _answer_deletion(operation)) for ordinal, operation in self.deletions]
        return updated + deleted


def changes_of(plan: Plan) -> PlannedChanges:
    """Returns the plan's operations by kind."""
    numbered = list(enumerate(plan.operations))
    return PlannedChanges(
        additions=[(i, operation) for i, operation in numbered if isinstance(operation, AddFact)],
        updates=[(i, operation) for i, operation in numbered if isinstance(operation, UpdateFact)],
        deletions=[
            (i, operation) for i, operation in numbered if isinstance(operation, DeleteFact)
        ],
    )


def without_near_duplicates(
    planned: PlannedChanges,
    vectors: Sequence[Vector],
    candidates: Sequence[Candidate],
    threshold: float,
) -> tuple[PlannedChanges, list[Vector]]:
    """Returns the changes and their vectors, without additions that nearly repeat a known fact.

    Known facts are candidates that stay unchanged, new texts of updated candidates, and earlier
    additions.
    """
    split = len(planned.additions)
    if not split:
        return planned, list(vectors)
    changed = {operation.candidate.id for _, operation in planned.updates}
    changed |= {operation.candidate.id for _, operation in planned.deletions}
    known = KnownFacts(
        [StatedFact(c.text, c.vector) for c in candidates if c.id not in changed], threshold
    )
    for (_, update), vector in zip(planned.updates, vectors[split:], strict=True):
        known.add(StatedFact(update.text, vector))
    kept: list[tuple[tuple[int, AddFact], Vector]] = []
    for addition, vector in zip(planned.additions, vectors[:split], strict=True):
        fact = StatedFact(addition[1].text, vector)
        if not known.has(fact):
            known.add(fact)
            kept.append((addition, vector))
    additions = [addition for addition, _ in kept]
    return replace(planned, additions=additions), [*(v for _, v in kept), *vectors[split:]]


def build_change_set(
    add: AddContext, planned: PlannedChanges, vectors: Sequence[Vector]
) -> ChangeSet:
    """Returns the change set of a plan; `vectors` belong to `planned.texts`."""
    split = len(planned.additions)
    return ChangeSet(
        call=add.call,
        messages=add.messages,
        added=[
            _addition(add, ordinal, operation, vector)
            for (ordinal, operation), vector in zip(planned.additions, vectors[:split], strict=True)
        ],
        updated=[
            _update(add, ordinal, operation, vector)
            for (ordinal, operation), vector in zip(planned.updates, vectors[split:], strict=True)
        ],
        deleted=[
            MemoryDeletion(ordinal, operation.candidate.id, operation.candidate.version)
            for ordinal, operation in planned.deletions
        ],
        lease=add.lease,
    )


def _evidence(add: AddContext, operation: AddFact | UpdateFact) -> list[Evidence]:
    message = add.messages[operation.message_index]
    return [Evidence(message.id, operation.quote, len(message.content))]


def _addition(add: AddContext, ordinal: int, operation: AddFact, vector: Vector) -> EmbeddedMemory:
    command, now = add.command, add.call.time
    message = add.messages[operation.message_index]
    memory = Memory(
        id=new_id(now, ordinal),
        project_id=command.project_id,
        scope=command.scope,
        text=operation.text,
        metadata=command.metadata,
        categories=operation.categories,
        immutable=command.immutable,
        create_time=now,
        update_time=now,
        event_time=add.event_time,
        expiration_date=command.expiration_date,
        inferred=True,
        role=message.role,
        name=message.name,
        version=1,
        provenance=provenance(add.call, _evidence(add, operation)),
        entities=operation.entities,
        relations=operation.relations,
    )
    return EmbeddedMemory(ordinal, memory, fact_digest(operation.text), vector)


def _update(add: AddContext, ordinal: int, operation: UpdateFact, vector: Vector) -> MemoryUpdate:
    message = add.messages[operation.message_index]
    return MemoryUpdate(
        ordinal=ordinal,
        memory_id=operation.candidate.id,
        version=operation.candidate.version,
        text=operation.text,
        digest=fact_digest(operation.text),
        embedding=vector,
        metadata=add.command.metadata,
        categories=operation.categories,
        entities=operation.entities,
        relations=operation.relations,
        evidence=_evidence(add, operation),
        event_time=add.event_time,
        expiration_date=add.command.expiration_date,
        role=message.role,
        name=message.name,
    )


def _answer_update(operation: UpdateFact) -> AddedChange:
    return AddedChange(
        memory_id=operation.candidate.id,
        event=EventType.UPDATE,
        text=operation.text,
        previous_text=operation.candidate.text,
        categories=operation.categories,
        version=operation.candidate.version + 1,
    )


def _answer_deletion(operation: DeleteFact) -> AddedChange:
    return AddedChange(
        memory_id=operation.candidate.id,
        event=EventType.DELETE,
        text=operation.candidate.text,
        previous_text=None,
        categories=(),
        version=operation.candidate.version + 1,
    )
