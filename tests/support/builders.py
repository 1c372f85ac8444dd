"""Small builders of domain objects: a test states only the fields that matter to it."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from datetime import UTC, date, datetime
from math import sqrt
from uuid import UUID

from server.core.clock import new_id
from server.core.values import JsonObject, Vector
from server.graph.model import Entity, Relation
from server.memories.conversation import Role, StoredMessage
from server.memories.memory import Evidence, Memory, Provenance, ScoredMemory, fact_digest
from server.memories.passages import Hit
from server.memories.ports import Call, ChangeSet, EmbeddedMemory, MemoryUpdate
from server.memories.scope import Scope

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
PROJECT = "project-1"
ALICE = Scope(user_id="alice")
EMBEDDER = "test/embedder"


def vector(*components: float) -> Vector:
    """A normalised vector."""
    norm = sqrt(sum(component * component for component in components))
    return array("f", [component / norm for component in components])


def call(
    *,
    project_id: str = PROJECT,
    scope: Scope = ALICE,
    time: datetime = NOW,
    request_id: UUID | None = None,
    payload_digest: bytes = b"",
    correlation_id: str = "correlation-1",
) -> Call:
    """A call that adds memories."""
    return Call(
        id=new_id(time),
        project_id=project_id,
        scope=scope,
        method="AddMemories",
        time=time,
        correlation_id=correlation_id,
        embedding_model=EMBEDDER,
        language_model="test/model",
        prompt_version="test-1",
        request_id=request_id,
        payload_digest=payload_digest,
    )


def message(content: str, ordinal: int = 0, role: Role = Role.USER) -> StoredMessage:
    """Returns a stored message."""
    return StoredMessage(new_id(NOW, ordinal), ordinal, role, content, None, NOW)


def addition(
    of: Call,
    text: str,
    *,
    ordinal: int = 0,
    embedding: Vector | None = None,
    metadata: JsonObject | None = None,
    categories: Sequence[str] = (),
    immutable: bool = False,
    expiration_date: date | None = None,
    evidence: Sequence[Evidence] = (),
    entities: Sequence[Entity] = (),
    relations: Sequence[Relation] = (),
    name: str | None = None,
    verbatim: bool = False,
) -> EmbeddedMemory:
    """Returns a memory that the call adds, inferred or verbatim; `name` is the speaker's."""
    if verbatim and not evidence:
        evidence = [Evidence(new_id(of.time, ordinal), "")]
    memory = Memory(
        id=new_id(of.time),
        project_id=of.project_id,
        scope=of.scope,
        text=text,
        metadata=metadata or {},
        categories=tuple(categories),
        immutable=immutable,
        create_time=of.time,
        update_time=of.time,
        event_time=of.time,
        expiration_date=expiration_date,
        inferred=not verbatim,
        role=Role.USER,
        name=name,
        version=1,
        provenance=Provenance(
            call_id=of.id,
            request_id=of.request_id,
            correlation_id=of.correlation_id,
            embedding_model=of.embedding_model,
            language_model=of.language_model,
            prompt_version=of.prompt_version,
            evidence=tuple(evidence),
        ),
        entities=tuple(entities),
        relations=tuple(relations),
    )
    return EmbeddedMemory(ordinal, memory, fact_digest(text), embedding or vector(1, 0, 0))


def revision(
    of: EmbeddedMemory,
    text: str,
    *,
    version: int = 1,
    ordinal: int = 0,
    metadata: JsonObject | None = None,
    expiration_date: date | None = None,
) -> MemoryUpdate:
    """Returns the next version of a memory."""
    memory = of.memory
    return MemoryUpdate(
        ordinal=ordinal,
        memory_id=memory.id,
        version=version,
        text=text,
        digest=fact_digest(text),
        embedding=of.embedding,
        metadata=metadata or {},
        categories=memory.categories,
        entities=memory.entities,
        relations=memory.relations,
        evidence=(),
        event_time=memory.event_time,
        expiration_date=expiration_date,
        role=memory.role,
        name=memory.name,
    )


def adding(
    *texts: str,
    scope: Scope = ALICE,
    project_id: str = PROJECT,
    relations: Sequence[Relation] = (),
) -> ChangeSet:
    """Returns a change set that adds memories with these texts and, each, these relations."""
    of = call(scope=scope, project_id=project_id)
    return ChangeSet(
        call=of,
        messages=[message(text, ordinal) for ordinal, text in enumerate(texts)],
        added=[
            addition(of, text, ordinal=ordinal, relations=relations)
            for ordinal, text in enumerate(texts)
        ],
    )


LISBON = Relation(Entity("Alice", "person"), "lives_in", Entity("Lisbon", "place"))


def memories_of(hits: Sequence[Hit]) -> list[Memory]:
    """Returns the memories among the hits, all of which must be memories."""
    memories = [hit.memory for hit in hits if isinstance(hit, ScoredMemory)]
    assert len(memories) == len(hits)
    return memories
