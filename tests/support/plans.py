"""Plans that the domain makes of a model's answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from uuid import NAMESPACE_OID, UUID, uuid5

from server.memories.add.inference import (
    BUILT_IN_CATEGORIES,
    Candidate,
    InferenceAnswer,
    InferenceRequest,
    ProposedOperation,
    ProposedRelation,
)
from server.memories.add.plan import Plan, plan
from server.memories.changes import Addition, ChangeSet, Deletion, Update
from server.memories.conversation import Message, Role, StoredMessage
from tests.support.builders import call

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
    return plan_of(request, InferenceAnswer(operations, "test/model", "1"), max_deletions)


NEW = UUID(int=2**100)
"""The id of the memories that plans add."""


def plan_of(request: InferenceRequest, answer: InferenceAnswer, max_deletions: int = 5) -> Plan:
    """Returns the plan; the ids of its messages are their indexes, and its new memories are NEW."""
    messages = [
        StoredMessage(UUID(int=index), index, said.role, said.content or "", said.name, NOW)
        for index, said in enumerate(request.messages)
    ]
    result = plan(request, answer, max_deletions, ChangeSet(call(), messages))
    changes = (
        replace(change, memory_id=NEW) if isinstance(change, Addition) else change
        for change in result.changes
    )
    return replace(result, changes=tuple(changes))


def texts_of(made: Plan, candidates: Sequence[Candidate] = ()) -> list[str]:
    """Returns the changes of a plan as `ADD text`, `UPDATE old -> text` and `DELETE old`."""
    old = {candidate.id: candidate.text for candidate in candidates}
    told = []
    for change in made.changes:
        match change:
            case Addition():
                told.append(f"ADD {change.text}")
            case Update():
                told.append(f"UPDATE {old[change.memory_id]} -> {change.text}")
            case Deletion():
                told.append(f"DELETE {old[change.memory_id]}")
    return told


def quotes_of(made: Plan) -> list[tuple[int, str]]:
    """Returns the index of the message and the quote that support each new text."""
    return [
        (evidence.message_id.int, evidence.quote)
        for change in made.changes
        if not isinstance(change, Deletion)
        for evidence in change.evidence
    ]
