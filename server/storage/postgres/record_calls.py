"""Writes calls with their additions in one statement, with JSON for everything but vectors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING
from uuid import UUID

from server.core.background import in_thread_if_many
from server.core.request_context import current_origin, current_request
from server.memories.changes import Addition, Call, ChangeSet, NewPassage
from server.memories.conversation import StoredMessage
from server.memories.memory import today
from server.memories.queries import Committed
from server.storage.postgres.rows import (
    from_entities,
    from_evidence,
    from_notices,
    from_relations,
    to_halfvec,
)
from server.storage.postgres.statements import BoundStatement, load_sql

if TYPE_CHECKING:
    from server.storage.postgres.rows import Row

SQL = load_sql("record_calls.sql", "changing.sql")
RECORD_VERBATIM = SQL["record_calls"].fill(
    permit_ctes=SQL.blocks["all_permitted"], inferred_ctes=""
)
RECORD_INFERRED = SQL["record_calls"].fill(
    permit_ctes=SQL.blocks["permitted_by_lease"], inferred_ctes=SQL.blocks["inferred"]
)


async def record_statement(all_changes: Sequence[ChangeSet]) -> BoundStatement:
    """Returns the statement that writes calls of one project with their new memories."""
    items = sum(len(changes.changes) for changes in all_changes)
    values = await in_thread_if_many(items, _values, all_changes)
    return (RECORD_INFERRED if "passages" in values else RECORD_VERBATIM)(**values)


def committed_in(rows: Sequence[Row], calls: int) -> list[Committed | None]:
    """Returns what the statement wrote of each call.

    That is None for a call that was not written because expired memories hold the same texts, or
    because the lease of its scope or operation has been taken over.
    """
    added: dict[int, set[UUID]] = {}
    positions: dict[int, int] = {}
    for row in rows:
        number, memory_id = row["call"], row["memory_id"]
        positions[number] = row["position"]
        if memory_id is not None:
            added.setdefault(number, set()).add(memory_id)
    return [
        Committed(frozenset(added.get(number, ())), positions[number])
        if number in positions
        else None
        for number in range(calls)
    ]


def _values(all_changes: Sequence[ChangeSet]) -> dict[str, object]:
    """Returns the parameters of `record_calls`."""
    numbered = list(enumerate(all_changes))
    added = [
        (number, ordinal, change)
        for number, changes in numbered
        for ordinal, change in enumerate(changes.changes)
        if isinstance(change, Addition)
    ]
    values: dict[str, object] = {
        "project_id": all_changes[0].call.project_id,
        "calls": [_call(number, changes) for number, changes in numbered],
        "messages": [
            _message(number, message)
            for number, changes in numbered
            for message in changes.messages
        ],
        "memories": [_memory(*placed) for placed in added],
        "embeddings": [to_halfvec(addition.embedding) for *_, addition in added],
    }
    if any(map(_is_inferred, all_changes)):
        passages = [
            (number, passage) for number, changes in numbered for passage in changes.passages
        ]
        values["passages"] = [_passage(number, passage) for number, passage in passages]
        values["passage_embeddings"] = [to_halfvec(passage.embedding) for _, passage in passages]
    return values


def _is_inferred(changes: ChangeSet) -> bool:
    """Whether the call has what verbatim adds never have: a lease, passages, or names."""
    return bool(
        changes.lease or changes.call.operation_lease or changes.passages or changes.affects_graph
    )


def call_values(call: Call) -> dict[str, object]:
    """Returns the parameters of the block `call_values` in changing.sql."""
    return {
        "project_id": call.project_id,
        "call_id": call.id,
        "method": call.method,
        **call.scope.fields(),
        "scope_key": call.scope.key(),
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
        "event_time": changes.event_time or call.time,
        "expiration_date": changes.expiration_date,
        "inferred": changes.inferred,
        "immutable": changes.immutable,
        "metadata": dict(changes.metadata),
    }


def _memory(number: int, ordinal: int, addition: Addition) -> dict[str, object]:
    return {
        "call": number,
        "memory_id": addition.memory_id,
        "text": addition.text,
        "digest": _hex(addition.digest),
        "role": addition.role,
        "name": addition.name,
        "categories": addition.categories,
        "entities": from_entities(addition.entities),
        "relations": from_relations(addition.relations),
        "evidence": from_evidence(addition.evidence),
        "ordinal": ordinal,
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
