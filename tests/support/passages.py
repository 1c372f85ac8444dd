"""Passages for tests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from server.core.clock import new_id
from server.core.values import JsonObject, Vector
from server.memories.changes import ChangeSet, NewPassage
from server.memories.conversation import Role, StoredMessage
from server.memories.passages import passage_digest
from server.memories.ports import MemoryStore
from server.memories.queries import SearchQuery
from server.memories.scope import Scope
from tests.support.builders import ALICE, NOW, PROJECT, NewMemory, call, change_set, vector


@dataclass(frozen=True, slots=True)
class SharedPassages:
    """Passages, and the values that they share."""

    passages: Sequence[NewPassage]
    metadata: JsonObject
    expiration_date: date | None


def passages(
    *of_messages: Sequence[str],
    role: Role = Role.USER,
    name: str | None = None,
    message: str | None = None,
    metadata: JsonObject | None = None,
    expiration_date: date | None = None,
    embedding: Vector | None = None,
) -> SharedPassages:
    """Returns passages of these sentences, one for each message.

    `message` is the whole message if it has more sentences; the digest is that of the message.
    """
    return SharedPassages(
        [
            NewPassage(
                passage_id=new_id(NOW),
                message_id=new_id(NOW, ordinal),
                role=role,
                name=name,
                digest=passage_digest(role, name, message or "".join(sentences), 0),
                sentences=sentences,
                embedding=embedding or vector(1, 0, 0),
            )
            for ordinal, sentences in enumerate(of_messages)
        ],
        metadata or {},
        expiration_date,
    )


async def add_passages(
    store: MemoryStore,
    given: SharedPassages,
    *,
    scope: Scope = ALICE,
    project_id: str = PROJECT,
    time: datetime = NOW,
    added: Sequence[NewMemory] = (),
) -> ChangeSet:
    """Commits an add with these passages."""
    new_call = call(scope=scope, project_id=project_id, time=time)
    messages = [
        StoredMessage(p.message_id, ordinal, p.role, "".join(p.sentences), p.name, time)
        for ordinal, p in enumerate(given.passages)
    ]
    changes = change_set(
        new_call,
        messages,
        added,
        passages=given.passages,
        metadata=given.metadata,
        expiration_date=given.expiration_date,
    )
    await store.commit(changes)
    return changes


async def found(store: MemoryStore, text: str = "anything", **changes: object) -> set[str]:
    """Returns the texts of the hits of a search."""
    defaults: dict[str, object] = {
        "project_id": PROJECT,
        "scope": ALICE,
        "vector": vector(1, 0, 0),
        "limit": 10,
        "visible_on": NOW.date(),
        "text": text,
    }
    query = SearchQuery(**{**defaults, **changes})  # type: ignore[arg-type] # names fit
    return {hit.text for hit in await store.search(query)}
