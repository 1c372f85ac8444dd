"""Plans that the domain makes of a model's answer."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import NAMESPACE_OID, uuid5

from server.memories.add.inference import (
    BUILT_IN_CATEGORIES,
    Candidate,
    InferenceAnswer,
    InferenceRequest,
    ProposedOperation,
    ProposedRelation,
)
from server.memories.add.plan import (
    AddFact,
    DeleteFact,
    Plan,
    UpdateFact,
    plan,
)
from server.memories.conversation import Message, Role

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def user(content: str, name: str | None = None) -> Message:
    return Message(Role.USER, content, name)


def assistant(content: str, name: str | None = None) -> Message:
    return Message(Role.ASSISTANT, content, name)


def tool(content: str) -> Message:
    return Message(Role.TOOL, content)


def held(
    *texts: str, role: Role | None = Role.USER, name: str | None = None, immutable: bool = False
) -> list[Candidate]:
    """Returns candidates with these texts, stated by this speaker."""
    return [
        Candidate(uuid5(NAMESPACE_OID, text), text, 1, immutable, role=role, name=name)
        for text in texts
    ]


def proposed(
    action: str,
    quote: str,
    text: str = "",
    *,
    message: int = 1,
    target: int | None = None,
    relations: Sequence[tuple[str, str, str]] = (),
    categories: Sequence[str] = (),
) -> ProposedOperation:
    return ProposedOperation(
        action,
        text,
        message,
        quote,
        target,
        categories=categories,
        relations=[ProposedRelation(*relation) for relation in relations],
    )


def planned(
    messages: Sequence[Message],
    operations: Sequence[ProposedOperation],
    candidates: Sequence[Candidate] = (),
    *,
    includes: str | None = None,
    excludes: str | None = None,
    max_deletions: int = 5,
) -> Plan:
    """Returns the plan that the domain makes of these operations of a model."""
    request = InferenceRequest(
        messages,
        candidates,
        BUILT_IN_CATEGORIES,
        NOW,
        includes=includes,
        excludes=excludes,
    )
    return plan(request, InferenceAnswer(operations, "test/model", "1"), max_deletions)


def texts_of(made: Plan) -> list[str]:
    """Returns the operations of a plan as `ADD text`, `UPDATE old -> text` and `DELETE old`."""
    told = []
    for operation in made.operations:
        match operation:
            case AddFact():
                told.append(f"ADD {operation.text}")
            case UpdateFact():
                told.append(f"UPDATE {operation.candidate.text} -> {operation.text}")
            case DeleteFact():
                told.append(f"DELETE {operation.candidate.text}")
    return told
