"""Requests of inferences, and operations that a model proposes for them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from server.core.errors import ExtractionFailed
from server.memories.add.inference import (
    BUILT_IN_CATEGORIES,
    Candidate,
    InferenceAnswer,
    InferenceRequest,
    ProposedOperation,
)
from server.memories.add.plan import Plan
from server.memories.conversation import Message, Role
from tests.support.plans import plan_of

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
LISBON = (
    "I moved to Lisbon. My wife\u2019s name is Anna, and I like  TEA\nand Stra\u00dfe caf\u00e9s."
)


def candidate(number: int, text: str, *, immutable: bool = False) -> Candidate:
    """Returns a memory that the answer may change."""
    return Candidate(UUID(int=number), text, 1, immutable)


PORTO = candidate(1, "User lives in Porto")
COFFEE = candidate(2, "User likes coffee")
FIXED = candidate(3, "User is allergic to nuts", immutable=True)


def request(*contents: str, candidates: Sequence[Candidate] = (PORTO, COFFEE, FIXED)) -> Any:
    """Returns a request with a system message and messages of the user with these contents."""
    return InferenceRequest(
        messages=[
            Message(Role.SYSTEM, "You are helpful. I moved to Lisbon."),
            *(Message(Role.USER, content) for content in contents or (LISBON,)),
        ],
        candidates=candidates,
        categories=BUILT_IN_CATEGORIES,
        event_time=NOW,
    )


def operation(action: str = "ADD", text: str = "User moved to Lisbon", **more: Any) -> Any:
    """Returns an operation that is valid for `request()`, with these changes."""
    fields: dict[str, Any] = {"message": 2, "quote": "I moved to Lisbon"} | more
    return ProposedOperation(action=action, text=text, **fields)


def run(*operations: ProposedOperation, given: InferenceRequest | None = None) -> Plan:
    """Returns the plan of the operations, by default for `request()`."""
    answer = InferenceAnswer(operations, model="test/model", prompt_version="1")
    return plan_of(given or request(), answer)


def attempt(asked: InferenceRequest, operations: Sequence[ProposedOperation]) -> Any:
    """Returns the plan, or the error if the answer is unusable."""
    try:
        return run(*operations, given=asked)
    except ExtractionFailed as error:
        return error
