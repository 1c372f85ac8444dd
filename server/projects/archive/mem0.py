"""Memories of Mem0 OSS, as its pgvector store keeps them: an id and a JSON payload.

The payload holds the text in `data`, the scope in `user_id`, `agent_id` and `run_id`, the speaker
in `actor_id` and `role`, times in `created_at` and `updated_at`, an `expiration_date` in later
versions, and the client's metadata. Source: `mem0/memory/main.py` of github.com/mem0ai/mem0.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID, uuid5

from server.memories.conversation import Role
from server.memories.memory import fact_digest
from server.memories.scope import MAX_SCOPE_ID_LENGTH, SCOPE_FIELDS, Scope

_OWN_KEYS = frozenset(
    {
        "data",
        "hash",
        "created_at",
        "updated_at",
        "id",
        "text_lemmatized",
        "user_id",
        "agent_id",
        "run_id",
        "actor_id",
        "role",
        "expiration_date",
    }
)


class Mem0Unusable(ValueError):
    """The memory cannot be imported; the message gives the reason."""


@dataclass(frozen=True, slots=True)
class Mem0Memory:
    """A row of the table, or a memory of Mem0's platform.

    Only the platform has an app, categories and immutable memories. If `metadata` is None, the
    rest of the payload is the metadata.
    """

    id: UUID
    payload: Mapping[str, Any]
    app_id: str | None = None
    categories: tuple[str, ...] = ()
    metadata: Mapping[str, Any] | None = None
    immutable: bool = False


@dataclass(frozen=True, slots=True)
class Mem0Rows:
    """A memory as rows of an archive: the call that made it, its history and the memory itself."""

    call: str
    event: str
    memory: str
    text: str
    identity: bytes
    """Equal for two memories of one scope with the same text."""


def to_rows(memory: Mem0Memory, position: int, embedding_model: str) -> Mem0Rows:
    """Converts a memory to rows; `position` is its position among all changes.

    Raises:
        Mem0Unusable: its text or scope is missing or cannot be stored.
    """
    payload = memory.payload
    text, scope = _text(payload), _scope({**payload, "app_id": memory.app_id})
    digest = fact_digest(text)
    ids = {"memory_id": str(memory.id), "version": 1, "call_id": str(uuid5(memory.id, "import"))}
    parts = {**scope.fields(), "scope_key": _bytea(scope.key())}
    created = _time(payload.get("created_at"), "created_at")
    state = {**parts, **ids, "digest": _bytea(digest), "text": text, **_state(memory, created)}
    event = {
        **ids,
        "position": position,
        "ordinal": 0,
        "type": "ADD",
        "change_time": created,
        "state": state,
    }
    call = {
        **parts,
        "call_id": ids["call_id"],
        "position": position,
        "method": "ImportMem0",
        "payload_digest": _bytea(b""),
        "correlation_id": "import-mem0",
        "embedding_model": embedding_model,
        "call_time": created,
        "item": 0,
    }
    return Mem0Rows(
        call=json.dumps(call),
        event=json.dumps(event),
        memory=json.dumps(state),
        text=text,
        identity=scope.key() + digest,
    )


def _state(memory: Mem0Memory, created: str) -> dict[str, object]:
    """Returns what the memory says of itself, except its text and scope."""
    payload = memory.payload
    return {
        "role": _role(payload.get("role")),
        "name": payload.get("actor_id") if isinstance(payload.get("actor_id"), str) else None,
        "inferred": True,
        "immutable": memory.immutable,
        "metadata": _metadata(memory),
        "categories": list(memory.categories),
        "entities": [],
        "relations": [],
        "evidence": [],
        "event_time": created,
        "expiration_date": _date(payload.get("expiration_date")),
        "create_time": created,
        "update_time": _time(payload.get("updated_at") or created, "updated_at"),
    }


def _metadata(memory: Mem0Memory) -> dict[str, Any]:
    if memory.metadata is not None:
        return dict(memory.metadata)
    return {key: value for key, value in memory.payload.items() if key not in _OWN_KEYS}


def _text(payload: Mapping[str, Any]) -> str:
    text = payload.get("data")
    if not isinstance(text, str) or not text.strip():
        raise Mem0Unusable("it has no text")
    return text


def _scope(payload: Mapping[str, Any]) -> Scope:
    parts = {name: payload.get(name) or None for name in SCOPE_FIELDS}
    for name, value in parts.items():
        if value is None:
            continue
        if not isinstance(value, str) or len(value) > MAX_SCOPE_ID_LENGTH:
            raise Mem0Unusable(f"its {name} is not a string of 1 to {MAX_SCOPE_ID_LENGTH}")
        if not value.isprintable():
            raise Mem0Unusable(f"its {name} has control characters")
    if not any(parts.values()):
        raise Mem0Unusable("it has neither user_id nor agent_id nor run_id")
    return Scope(**parts)


def _time(value: object, name: str) -> str:
    try:
        time = datetime.fromisoformat(str(value))
    except ValueError as error:
        raise Mem0Unusable(f"its {name} is not a time") from error
    return (time if time.tzinfo else time.replace(tzinfo=UTC)).isoformat()


def _date(value: object) -> str | None:
    if value is None:
        return None
    try:
        return date.fromisoformat(str(value)[:10]).isoformat()
    except ValueError as error:
        raise Mem0Unusable("its expiration_date is not a date") from error


def _role(value: object) -> str | None:
    return str(value) if value in set(Role) else None


def _bytea(value: bytes) -> str:
    return "\\x" + value.hex()
