"""Plays conversations with the offline model, and summarizes the plans."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from server.memories.add.inference import BUILT_IN_CATEGORIES, Candidate, InferenceRequest
from server.memories.add.plan import AddFact, DeleteFact, PlannedOperation, UpdateFact, plan
from server.memories.conversation import Message, Role
from server.models.offline.language_model import OfflineLanguageModel

MONDAY = datetime(2026, 11, 23, 12, tzinfo=UTC)

Triple = tuple[str, str, str]


async def planned(
    *messages: str | Message,
    known: Sequence[str] = (),
    immutable: Sequence[str] = (),
    **options: Any,
) -> tuple[PlannedOperation, ...]:
    """Returns the plan for a conversation; plain strings are messages of the user."""
    fields: dict[str, Any] = {"categories": BUILT_IN_CATEGORIES} | options
    request = InferenceRequest(
        messages=[m if isinstance(m, Message) else Message(Role.USER, m) for m in messages],
        candidates=[
            Candidate(UUID(int=number), text, 1, text in immutable)
            for number, text in enumerate((*known, *immutable))
        ],
        event_time=MONDAY,
        **fields,
    )
    answer = await OfflineLanguageModel().infer(request)
    return plan(request, answer, max_deletions=5).operations


async def changes(*messages: str | Message, known: Sequence[str] = (), **options: Any) -> list[str]:
    """Returns the plan in short form: `+ text`, `old -> new` and `- old`."""
    return [_short(o) for o in await planned(*messages, known=known, **options)]


def triples(operation: PlannedOperation) -> list[Triple]:
    """Returns the relations of an operation."""
    if isinstance(operation, DeleteFact):
        return []
    return [(r.source.name, r.relation, r.target.name) for r in operation.relations]


def _short(operation: PlannedOperation) -> str:
    match operation:
        case AddFact():
            return f"+ {operation.text}"
        case UpdateFact():
            return f"{operation.candidate.text} -> {operation.text}"
        case DeleteFact():
            return f"- {operation.candidate.text}"
