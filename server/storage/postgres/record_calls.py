"""Writes calls with their additions in one statement, with JSON for everything but vectors."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from server.core.background import by_size
from server.core.request_context import current_origin, current_request
from server.memories.conversation import StoredMessage
from server.memories.memory import today
from server.memories.ports import Call, ChangeSet, Committed, EmbeddedMemory, NewPassage
from server.storage.postgres.rows import (
    from_entities,
    from_evidence,
    from_notices,
    from_relations,
    to_halfvec,
)
from server.storage.postgres.statements import load_sql

if TYPE_CHECKING:
    from server.storage.postgres.pool import Connection

SQL = load_sql("record_calls.sql", "changing.sql")
RECORD_VERBATIM = SQL["record_calls"].fill(
    permit_ctes=SQL.blocks["all_permitted"], inferred_ctes=""
)
RECORD_INFERRED = SQL["record_calls"].fill(
    permit_ctes=SQL.blocks["permitted_by_lease"], inferred_ctes=SQL.blocks["inferred"]
)


async def record(connection: Connection, together: Sequence[ChangeSet]) -> list[Committed | None]:
    """Writes the calls, which are of one project, with their new memories, in one transaction.

    Returns None for a call that was not written because expired memories hold the same texts, or
    because the lease of its scope or operation has been taken over.
    """
    items = sum(len(changes.added) for changes in together)
    values = await by_size(items, _values, together)
    statement = RECORD_INFERRED if "passages" in values else RECORD_VERBATIM
    added: dict[int, set[UUID]] = {}
    positions: dict[int, int] = {}
    for number, position, memory_id in await connection.fetch(*statement(**values)):
        positions[number] = position
        if memory_id is not None:
            added.setdefault(number, set()).add(memory_id)
    return [
        Committed(frozenset(added.get(number, ())), positions[number])
        if number in positions
        else None
        for number in range(len(together))
    ]


def _values(together: Sequence[ChangeSet]) -> dict[str, object]:
    """Returns the parameters of `record_calls`."""
    numbered = list(enumerate(together))
    added = [(number, item) for number, changes in numbered for item in changes.added]
    values: dict[str, object] = {
        "project_id": together[0].call.project_id,
        "calls": [_call(number, changes) for number, changes in numbered],
        "messages": [
            _message(number, message)
            for number, changes in numbered
            for message in changes.messages
        ],
        "memories": [_memory(number, item) for number, item in added],
        "embeddings": [to_halfvec(item.embedding) for _, item in added],
    }
    if any(map(_is_inferred, together)):
        passages = [
            (number, passage)
            for number, changes in numbered
            if changes.passages is not None
            for passage in changes.passages.passages
        ]
        values["passages"] = [_passage(number, passage) for number, passage in passages]
        values["passage_embeddings"] = [to_halfvec(passage.embedding) for _, passage in passages]
    return values


def _is_inferred(changes: ChangeSet) -> bool:
    """Whether the call has what verbatim adds never have: a lease, passages, or names."""
    return bool(
        changes.lease
        or changes.call.operation_lease
        or changes.passages
        or any(item.memory.entities or item.memory.relations for item in changes.added)
    )


def call_values(call: Call) -> dict[str, object]:
    """Returns the parameters of the block `call_values` in changing.sql."""
    scope = call.scope
    return {
        "project_id": call.project_id,
        "call_id": call.id,
        "method": call.method,
        "user_id": scope.user_id,
        "agent_id": scope.agent_id,
        "app_id": scope.app_id,
        "run_id": scope.run_id,
        "scope_key": scope.key(),
        "request_id": call.request_id,
        "item": call.item,
        "payload_digest": call.payload_digest,
        "correlation_id": call.correlation_id,
        "embedding_model": call.embedding_model,
        "language_model": call.language_model,
        "prompt_version": call.prompt_version,
        "call_time": call.time,
        "traceparent": call.traceparent,
        "key_id": call.origin.key_id,
        "peer": call.origin.peer,
    }


def _call(number: int, changes: ChangeSet) -> dict[str, object]:
    call = changes.call
    return {
        **call_values(call),
        "scope_key": _hex(call.scope.key()),
        "payload_digest": _hex(call.payload_digest),
        "call": number,
        "input_tokens": call.input_tokens,
        "output_tokens": call.output_tokens,
        "notices": from_notices(call.notices),
        "lease": changes.lease,
        "operation_lease": call.operation_lease,
        "today": today(call.time),
        **_of_all_items(changes),
    }


def _of_all_items(changes: ChangeSet) -> dict[str, object]:
    """Returns the values that the memories, messages and passages of a call share."""
    memory = changes.added[0].memory if changes.added else None
    values: dict[str, object] = {
        "event_time": _event_time(changes),
        "inferred": memory is not None and memory.inferred,
        "immutable": memory is not None and memory.immutable,
        "metadata": {},
    }
    if kept := memory or changes.passages:
        values |= {"metadata": dict(kept.metadata), "expiration_date": kept.expiration_date}
    return values


def _event_time(changes: ChangeSet) -> datetime:
    if changes.added:
        return changes.added[0].memory.event_time
    return changes.messages[0].event_time if changes.messages else changes.call.time


def _memory(number: int, added: EmbeddedMemory) -> dict[str, object]:
    memory = added.memory
    return {
        "call": number,
        "memory_id": memory.id,
        "text": memory.text,
        "digest": _hex(added.digest),
        "role": memory.role,
        "name": memory.name,
        "categories": memory.categories,
        "entities": from_entities(memory.entities),
        "relations": from_relations(memory.relations),
        "evidence": from_evidence(memory.provenance.evidence),
        "ordinal": added.ordinal,
    }


def _message(number: int, message: StoredMessage) -> dict[str, object]:
    return {
        "call": number,
        "ordinal": message.ordinal,
        "message_id": message.id,
        "role": message.role,
        "name": message.name,
        "content": message.content,
    }


def _passage(number: int, passage: NewPassage) -> dict[str, object]:
    return {
        "call": number,
        "passage_id": passage.passage_id,
        "message_id": passage.message_id,
        "role": passage.role,
        "name": passage.name,
        "digest": _hex(passage.digest),
        "sentences": passage.sentences,
    }


def _hex(value: bytes) -> str:
    """Bytes as PostgreSQL reads them from text."""
    return "\\x" + value.hex()


def actor_values() -> dict[str, object]:
    """Returns the parameters of the block `actor`: who performs the current act."""
    origin = current_origin()
    return {
        "actor_key_id": origin.key_id,
        "actor_peer": origin.peer,
        "correlation_id": current_request().correlation_id,
    }
