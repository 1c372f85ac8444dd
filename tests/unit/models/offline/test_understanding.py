"""The built-in extractor understands conversations of each kind.

They are those of `benchmarks.understanding`, played without a server: every memory is a candidate,
and of a functional relation the latest counts, as in the graph.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from benchmarks.understanding import MISSING, RIGHT, WRONG, Conversation, load
from server.graph.model import Relation
from server.graph.project.supersession import is_functional
from server.memories.add.inference import BUILT_IN_CATEGORIES, Candidate, InferenceRequest
from server.memories.changes import Addition, Change, Deletion
from server.memories.conversation import Message, Role
from server.models.offline.language_model import OfflineLanguageModel
from tests.support.plans import plan_of
from tests.unit.models.offline.conversation import MONDAY

CONVERSATIONS = load()

NOT_RIGHT = {
    "plain": (11, 0),
    "no fact": (0, 4),
    "embedded": (2, 1),
    "not own": (0, 0),
    "partial": (34, 14),
    "supersede": (5, 125),
    "forget": (0, 3),
    "names": (2, 0),
    "who": (3, 4),
    "language": (0, 0),
}
"""How many conversations of each kind are known to be missing something, and to be wrong."""


@dataclass(frozen=True, slots=True)
class Held:
    """A memory, and the time of its text."""

    text: str
    relations: Sequence[Relation]
    turn: int


def test_all_kinds_are_rated() -> None:
    assert NOT_RIGHT.keys() == {conversation.kind for conversation in CONVERSATIONS}


@pytest.mark.parametrize("kind", NOT_RIGHT)
async def test_conversations_are_understood(kind: str) -> None:
    conversations = [each for each in CONVERSATIONS if each.kind == kind]
    assert len(conversations) > 8
    unlike: dict[str, list[object]] = {MISSING: [], WRONG: []}
    for conversation in conversations:
        held = await played(conversation)
        verdict, why = conversation.verdict([each.text for each in held], relations(held))
        if verdict != RIGHT:
            unlike[verdict].append((conversation.said, why, held))
    assert (len(unlike[MISSING]), len(unlike[WRONG])) == NOT_RIGHT[kind], unlike


async def played(conversation: Conversation) -> list[Held]:
    """Returns the memories after the conversation."""
    memories: dict[UUID, Held] = {}
    context: list[Message] = []
    for turn, call in enumerate(conversation.calls):
        messages = [Message(Role(said.role), said.content, said.name or None) for said in call]
        request = InferenceRequest(
            messages=messages,
            candidates=[
                Candidate(number, held.text, 1, False, relations=held.relations)
                for number, held in memories.items()
            ],
            categories=BUILT_IN_CATEGORIES,
            event_time=MONDAY + timedelta(minutes=turn),
            context=context,
        )
        answer = await OfflineLanguageModel().infer(request)
        for change in plan_of(request, answer).changes:
            apply(change, memories, turn)
        context = [*context, *messages]
    return list(memories.values())


def apply(change: Change, memories: dict[UUID, Held], turn: int) -> None:
    """Applies a change of the plan."""
    if isinstance(change, Deletion):
        del memories[change.memory_id]
        return
    number = uuid4() if isinstance(change, Addition) else change.memory_id
    memories[number] = Held(change.text, change.relations, turn)


def relations(memories: Sequence[Held]) -> list[str]:
    """Returns the relations that hold now."""
    latest: dict[tuple[str, ...], Relation] = {}
    for held in sorted(memories, key=lambda each: each.turn):
        for stated in held.relations:
            key = stated.subject if is_functional(stated.relation) else stated.identity
            latest[key] = stated
    return [f"{r.source.name} {r.relation} {r.target.name}" for r in latest.values()]
