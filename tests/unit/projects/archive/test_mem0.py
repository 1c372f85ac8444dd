"""Converting memories of Mem0 to rows."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

import pytest

from server.projects.archive.mem0 import Mem0Memory, Mem0Unusable, to_rows

PAYLOAD: dict[str, Any] = {
    "data": "Has a dog",
    "hash": "abc",
    "user_id": "alice",
    "created_at": "2024-07-20T01:30:36-07:00",
    "actor_id": "Bob",
    "role": "user",
    "expiration_date": "2030-01-02T00:00:00",
    "category": "pets",
}


def row(**changes: object) -> dict[str, Any]:
    """Returns the memory's row."""
    rows = to_rows(Mem0Memory(UUID(int=1), {**PAYLOAD, **changes}), 1, "model")
    found: dict[str, Any] = json.loads(rows.memory)
    assert json.loads(rows.event)["state"].items() <= found.items()
    return found


def test_the_data_of_mem0_is_kept() -> None:
    memory = row()
    assert (memory["text"], memory["user_id"], memory["name"]) == ("Has a dog", "alice", "Bob")
    assert (memory["role"], memory["expiration_date"]) == ("user", "2030-01-02")
    assert memory["metadata"] == {"category": "pets"}
    assert memory["create_time"] == memory["update_time"] == "2024-07-20T01:30:36-07:00"


@pytest.mark.parametrize("role", ["robot", 3, None])
def test_an_unknown_role_becomes_none(role: object) -> None:
    assert row(role=role)["role"] is None


@pytest.mark.parametrize(
    "changes",
    [
        {"data": ""},
        {"data": 3},
        {"user_id": None},
        {"user_id": "x" * 257},
        {"user_id": 7},
        {"user_id": "a\nb"},
        {"created_at": "yesterday"},
        {"expiration_date": "never"},
    ],
    ids=str,
)
def test_rows_that_cannot_be_imported_are_refused(changes: dict[str, object]) -> None:
    with pytest.raises(Mem0Unusable):
        row(**changes)


def test_the_same_text_in_a_scope_is_one_fact() -> None:
    def identity(**changes: object) -> bytes:
        return to_rows(Mem0Memory(UUID(int=1), {**PAYLOAD, **changes}), 1, "model").identity

    assert identity() == identity(data="has a  DOG.")
    assert identity() != identity(run_id="r1")
