"""Plays conversations with the offline model, and summarizes the plans."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from server.memories.add.inference import BUILT_IN_CATEGORIES, Candidate, InferenceRequest
from server.memories.changes import Addition, Change, Deletion
from server.memories.conversation import Message, Role
from server.models.offline.language_model import OfflineLanguageModel
from tests.support.plans import plan_of

MONDAY = datetime(2026, 11, 23, 12, tzinfo=UTC)

Triple = tuple[str, str, str]


async def planned(
    *messages: str | Message,
    known: Sequence[str] = (),
    immutable: Sequence[str] = (),
    **options: Any,
) -> tuple[Change, ...]:
    """Returns the plan for a conversation; plain strings are messages of the user.

    Known memories have their numbers as ids, the immutable ones last.
    """
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
    return plan_of(request, answer).changes


async def changes(*messages: str | Message, known: Sequence[str] = (), **options: Any) -> list[str]:
    """Returns the plan in short form: `+ text`, `old -> new` and `- old`."""
    old = [*known, *options.get("immutable", ())]
    return [_short(change, old) for change in await planned(*messages, known=known, **options)]


def triples(change: Change) -> list[Triple]:
    """Returns the relations of a change."""
    if isinstance(change, Deletion):
        return []
    return [(r.source.name, r.relation, r.target.name) for r in change.relations]


def _short(change: Change, old: Sequence[str]) -> str:
    if isinstance(change, Addition):
        return f"+ {change.text}"
    before = old[change.memory_id.int]
    return f"- {before}" if isinstance(change, Deletion) else f"{before} -> {change.text}"
