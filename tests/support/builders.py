"""Small builders of domain objects: a test states only the fields that matter to it."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from math import sqrt
from uuid import UUID, uuid4

from server.core.clock import new_id
from server.core.values import JsonObject, Vector
from server.graph.model import Entity, Relation
from server.memories.changes import (
    Addition,
    Call,
    ChangeSet,
    Deletion,
    NewPassage,
    Update,
)
from server.memories.conversation import Role, StoredMessage
from server.memories.memory import Evidence, Memory, Provenance, fact_digest
from server.memories.passages import Hit
from server.memories.ports import MemoryStore
from server.memories.scope import Scope

HOUR = timedelta(hours=1)
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


@dataclass(frozen=True, slots=True, kw_only=True)
class NewMemory(Addition):
    """An addition, and the memory that it makes."""

    memory: Memory


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
) -> NewMemory:
    """Returns a memory that the call adds, inferred or verbatim.

    `ordinal` is the place of the message of a verbatim memory, `name` the speaker's.
    """
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
        provenance=provenance(of, evidence),
        entities=tuple(entities),
        relations=tuple(relations),
    )
    return added(memory, embedding or vector(1, 0, 0))


def added(memory: Memory, embedding: Vector, digest: bytes | None = None) -> NewMemory:
    """Returns the addition of a memory; its digest is that of a fact unless another is given."""
    return NewMemory(
        memory_id=memory.id,
        text=memory.text,
        digest=digest or fact_digest(memory.text),
        role=memory.role,
        name=memory.name,
        evidence=memory.provenance.evidence,
        categories=memory.categories,
        entities=memory.entities,
        relations=memory.relations,
        embedding=embedding,
        memory=memory,
    )


def provenance(of: Call, evidence: Sequence[Evidence] = ()) -> Provenance:
    """Returns the provenance of a memory that the call added or changed."""
    return Provenance(
        call_id=of.id,
        request_id=of.request_id,
        correlation_id=of.correlation_id,
        embedding_model=of.embedding_model,
        language_model=of.language_model,
        prompt_version=of.prompt_version,
        evidence=tuple(evidence),
        key_id=of.origin.key_id,
    )


def revision(of: Addition, text: str, *, version: int = 1) -> Update:
    """Returns the next version of a memory."""
    return Update(
        memory_id=of.memory_id,
        version=version,
        text=text,
        digest=fact_digest(text),
        role=of.role,
        name=of.name,
        evidence=(),
        categories=of.categories,
        entities=of.entities,
        relations=of.relations,
        embedding=of.embedding,
    )


def change_set(
    of: Call,
    messages: Sequence[StoredMessage] = (),
    added: Sequence[NewMemory] = (),
    *,
    updated: Sequence[Update] = (),
    deleted: Sequence[Deletion] = (),
    lease: UUID | None = None,
    passages: Sequence[NewPassage] = (),
    forget_requests: Sequence[str] = (),
    metadata: JsonObject | None = None,
    expiration_date: date | None = None,
) -> ChangeSet:
    """Returns the change set of a call, which shares the values of its first new memory."""
    changes = ChangeSet(
        call=of,
        messages=messages,
        changes=[*added, *updated, *deleted],
        lease=lease,
        passages=passages,
        forget_requests=forget_requests,
        metadata=metadata or {},
        expiration_date=expiration_date,
    )
    if not added:
        return changes
    first = added[0].memory
    return replace(
        changes,
        metadata=metadata or first.metadata,
        event_time=first.event_time,
        expiration_date=expiration_date or first.expiration_date,
        inferred=first.inferred,
        immutable=first.immutable,
    )


def adding(
    *texts: str,
    scope: Scope = ALICE,
    project_id: str = PROJECT,
    relations: Sequence[Relation] = (),
) -> ChangeSet:
    """Returns a change set that adds memories with these texts and, each, these relations."""
    new_call = call(scope=scope, project_id=project_id)
    return change_set(
        new_call,
        [message(text, ordinal) for ordinal, text in enumerate(texts)],
        [addition(new_call, text, relations=relations) for text in texts],
    )


def memory_of(changes: ChangeSet, item: Addition) -> Memory:
    """Returns the memory that an addition makes."""
    call = changes.call
    return Memory(
        id=item.memory_id,
        project_id=call.project_id,
        scope=call.scope,
        text=item.text,
        metadata=changes.metadata,
        categories=item.categories,
        immutable=changes.immutable,
        create_time=call.time,
        update_time=call.time,
        event_time=changes.event_time or call.time,
        expiration_date=changes.expiration_date,
        inferred=changes.inferred,
        role=item.role,
        name=item.name,
        version=1,
        provenance=provenance(call, item.evidence),
        entities=item.entities,
        relations=item.relations,
    )


LISBON = Relation(Entity("Alice", "person"), "lives_in", Entity("Lisbon", "place"))


def memories_of(hits: Sequence[Hit]) -> list[Memory]:
    """Returns the memories among the hits, all of which must be memories."""
    memories = [hit.found for hit in hits if isinstance(hit.found, Memory)]
    assert len(memories) == len(hits)
    return memories


async def add_with_history(store: MemoryStore, scope: Scope = ALICE) -> NewMemory:
    """Adds a memory, updates it an hour later, and deletes it after another hour."""
    new_call = call(request_id=uuid4(), scope=scope)
    item = addition(
        new_call,
        "in Berlin",
        metadata={"a": [1, None]},
        categories=["travel"],
        relations=[LISBON],
        evidence=[Evidence(uuid4(), "Berlin")],
    )
    await store.commit(change_set(new_call, added=[item]))
    later = call(time=NOW + HOUR, correlation_id="correlation-2", scope=scope)
    await store.commit(change_set(later, updated=[revision(item, "in Lisbon")]))
    last = call(time=NOW + 2 * HOUR, correlation_id="correlation-3", scope=scope)
    await store.commit(change_set(last, deleted=[Deletion(item.memory.id, 2)]))
    return item
