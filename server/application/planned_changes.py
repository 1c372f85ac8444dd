"""Turning a checked plan into what is stored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from server.application.add_memories import AddedChange
from server.application.change_sets import Occasion, provenance
from server.domain.identifiers import new_id
from server.domain.inference import Candidate
from server.domain.memory import EventType, Evidence, Memory, fact_digest
from server.domain.near_duplicates import KnownFacts, StatedFact
from server.domain.planning import AddFact, DeleteFact, Plan, UpdateFact
from server.domain.values import Vector
from server.ports.memory_store import ChangeSet, EmbeddedMemory, Removal, Revision


@dataclass(frozen=True, slots=True)
class PlannedChanges:
    """A plan's operations by kind, each with its place in the plan."""

    additions: Sequence[tuple[int, AddFact]]
    updates: Sequence[tuple[int, UpdateFact]]
    removals: Sequence[tuple[int, DeleteFact]]

    @property
    def texts(self) -> list[str]:
        """The texts to embed: those of the additions, then those of the updates."""
        return [o.text for _, o in self.additions] + [o.text for _, o in self.updates]

    @property
    def answers(self) -> list[tuple[int, AddedChange]]:
        """What to answer of the updates and removals."""
        updated = [(ordinal, _answer_update(operation)) for ordinal, operation in self.updates]
        removed = [(ordinal, _answer_removal(operation)) for ordinal, operation in self.removals]
        return updated + removed


def changes_of(plan: Plan) -> PlannedChanges:
    """The plan's operations, told apart."""
    numbered = list(enumerate(plan.operations))
    return PlannedChanges(
        additions=[(i, operation) for i, operation in numbered if isinstance(operation, AddFact)],
        updates=[(i, operation) for i, operation in numbered if isinstance(operation, UpdateFact)],
        removals=[(i, operation) for i, operation in numbered if isinstance(operation, DeleteFact)],
    )


def without_near_duplicates(
    planned: PlannedChanges,
    vectors: Sequence[Vector],
    candidates: Sequence[Candidate],
    threshold: float,
) -> tuple[PlannedChanges, list[Vector]]:
    """The changes and their vectors, without additions of what is known in almost the same words.

    Known are the candidates that stay as they are, what others become, and earlier additions.
    """
    split = len(planned.additions)
    changed = {operation.candidate.id for _, operation in planned.updates}
    changed |= {operation.candidate.id for _, operation in planned.removals}
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


def carry_out(occasion: Occasion, planned: PlannedChanges, vectors: Sequence[Vector]) -> ChangeSet:
    """The change set of a plan; `vectors` are those of `planned.texts`."""
    split = len(planned.additions)
    return ChangeSet(
        call=occasion.call,
        messages=occasion.messages,
        added=[
            _addition(occasion, ordinal, operation, vector)
            for (ordinal, operation), vector in zip(planned.additions, vectors[:split], strict=True)
        ],
        updated=[
            _revision(occasion, ordinal, operation, vector)
            for (ordinal, operation), vector in zip(planned.updates, vectors[split:], strict=True)
        ],
        removed=[
            Removal(ordinal, operation.candidate.id, operation.candidate.version)
            for ordinal, operation in planned.removals
        ],
        lease=occasion.lease,
    )


def _evidence(occasion: Occasion, operation: AddFact | UpdateFact) -> list[Evidence]:
    return [Evidence(occasion.messages[operation.message_index].id, operation.quote)]


def _addition(
    occasion: Occasion, ordinal: int, operation: AddFact, vector: Vector
) -> EmbeddedMemory:
    command, now = occasion.command, occasion.call.time
    message = occasion.messages[operation.message_index]
    memory = Memory(
        id=new_id(now),
        project_id=command.project_id,
        scope=command.scope,
        text=operation.text,
        metadata=command.metadata,
        categories=operation.categories,
        immutable=command.immutable,
        create_time=now,
        update_time=now,
        event_time=occasion.event_time,
        expiration_date=command.expiration_date,
        inferred=True,
        role=message.role,
        name=message.name,
        version=1,
        provenance=provenance(occasion.call, _evidence(occasion, operation)),
        entities=operation.entities,
        relations=operation.relations,
    )
    return EmbeddedMemory(ordinal, memory, fact_digest(operation.text), vector)


def _revision(occasion: Occasion, ordinal: int, operation: UpdateFact, vector: Vector) -> Revision:
    message = occasion.messages[operation.message_index]
    return Revision(
        ordinal=ordinal,
        memory_id=operation.candidate.id,
        version=operation.candidate.version,
        text=operation.text,
        digest=fact_digest(operation.text),
        embedding=vector,
        metadata=occasion.command.metadata,
        categories=operation.categories,
        entities=operation.entities,
        relations=operation.relations,
        evidence=_evidence(occasion, operation),
        event_time=occasion.event_time,
        expiration_date=occasion.command.expiration_date,
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


def _answer_removal(operation: DeleteFact) -> AddedChange:
    return AddedChange(
        memory_id=operation.candidate.id,
        event=EventType.DELETE,
        text=operation.candidate.text,
        previous_text=None,
        categories=(),
        version=operation.candidate.version + 1,
    )
