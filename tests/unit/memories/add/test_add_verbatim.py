"""Adding with `infer=false`."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, date, datetime
from uuid import uuid4

import pytest

from server.core.request_context import RequestContext
from server.memories.add.add_memories import AddMemoriesCommand, AddMemoriesOutcome
from server.memories.add.verbatim import AddVerbatim
from server.memories.conversation import Message, Role
from server.memories.memory import EventType, Evidence
from server.memories.scope import Scope
from server.models.ports import EmbeddingPurpose
from tests.support.builders import ALICE, EMBEDDER, NOW, PROJECT
from tests.support.fake_store import FakeStore
from tests.support.fakes import FakeClock, FakeEmbedder
from tests.support.request_context import in_request

USER, ASSISTANT, SYSTEM, TOOL = Role.USER, Role.ASSISTANT, Role.SYSTEM, Role.TOOL


class World:
    """The use case and its collaborators."""

    def __init__(self) -> None:
        self.store = FakeStore()
        self.embedder = FakeEmbedder()
        self.add_verbatim = AddVerbatim(self.store, self.embedder, FakeClock())

    async def add_messages(self, *messages: Message) -> AddMemoriesOutcome:
        return await self.add_verbatim(saying(*messages))


@pytest.fixture
def world() -> World:
    return World()


def saying(*messages: Message) -> AddMemoriesCommand:
    return AddMemoriesCommand(PROJECT, ALICE, messages, metadata={}, infer=False)


async def test_each_message_becomes_a_memory_with_its_speaker(world: World) -> None:
    outcome = await world.add_messages(
        Message(USER, "I like tea", "Alice"),
        Message(ASSISTANT, "Noted."),
        Message(TOOL, "{}", "search"),
    )
    kept = [(m.role, m.name, m.text) for m in world.store.memories.values()]
    assert kept == [
        (USER, "Alice", "I like tea"),
        (ASSISTANT, None, "Noted."),
        (TOOL, "search", "{}"),
    ]
    assert [change.text for change in outcome.changes] == ["I like tea", "Noted.", "{}"]
    assert {change.event for change in outcome.changes} == {EventType.ADD}
    assert [change.memory_id for change in outcome.changes] == list(world.store.memories)


async def test_system_messages_are_stored_but_become_no_memory(world: World) -> None:
    await world.add_messages(Message(SYSTEM, "Be kind."), Message(USER, "Hello"))
    [changes] = world.store.change_sets
    assert [(m.ordinal, m.role) for m in changes.messages] == [(0, SYSTEM), (1, USER)]
    [item] = changes.added
    assert item.text == "Hello"
    assert item.evidence == (Evidence(changes.messages[1].id, ""),)


async def test_messages_without_content_are_not_stored(world: World) -> None:
    await world.add_messages(Message(USER, None), Message(USER, " "), Message(USER, "a\0b"))
    [changes] = world.store.change_sets
    assert [m.content for m in changes.messages] == ["ab"]
    assert [item.text for item in changes.added] == ["ab"]


async def test_an_add_costs_one_embedding_batch(world: World) -> None:
    await world.add_messages(
        Message(USER, "one"), Message(SYSTEM, "two"), Message(ASSISTANT, "three")
    )
    assert world.embedder.batches == [(["one", "three"], EmbeddingPurpose.DOCUMENT)]
    [changes] = world.store.change_sets
    vectors = [world.embedder.vector_of(text) for text in ("one", "three")]
    assert [item.embedding for item in changes.added] == vectors


async def test_an_add_without_memories_costs_no_embedding(world: World) -> None:
    outcome = await world.add_messages(Message(SYSTEM, "Be kind."))
    assert world.embedder.batches == []
    assert outcome.changes == []
    assert len(world.store.change_sets[0].messages) == 1


async def test_a_repeated_message_adds_nothing(world: World) -> None:
    first = await world.add_messages(Message(USER, "I like tea"))
    again = await world.add_messages(Message(USER, "I like tea"), Message(USER, "I like tea "))
    assert [change.text for change in again.changes] == ["I like tea "]
    assert again.position > first.position


async def test_the_same_text_of_another_speaker_is_another_memory(world: World) -> None:
    words = [Message(USER, "Yes"), Message(ASSISTANT, "Yes"), Message(USER, "Yes", "Bob")]
    outcome = await world.add_messages(*words)
    assert len(outcome.changes) == 3


async def test_memories_have_the_values_of_their_call(world: World) -> None:
    request_id = uuid4()
    command = AddMemoriesCommand(
        project_id=PROJECT,
        scope=Scope("alice", None, "app", None),
        messages=[Message(USER, "I like tea")],
        metadata={"source": "chat"},
        infer=False,
        immutable=True,
        event_time=datetime(2020, 2, 3, tzinfo=UTC),
        expiration_date=date(2027, 1, 1),
        request_id=request_id,
        payload_digest=b"payload",
    )
    context = RequestContext("correlation-7", deadline=math.inf)
    await in_request(context, lambda: world.add_verbatim(command))

    [changes] = world.store.change_sets
    call, [memory] = changes.call, world.store.memories.values()
    assert (call.project_id, call.scope) == (memory.project_id, memory.scope)
    assert (call.project_id, call.scope) == (PROJECT, command.scope)
    assert (call.time, memory.create_time, memory.update_time) == (NOW, NOW, NOW)
    assert (call.request_id, call.payload_digest) == (request_id, b"payload")
    assert (call.embedding_model, call.language_model) == (EMBEDDER, None)
    assert memory.metadata == {"source": "chat"}
    assert memory.immutable
    assert not memory.inferred
    assert memory.event_time == changes.messages[0].event_time == command.event_time
    assert memory.expiration_date == date(2027, 1, 1)
    assert memory.provenance.call_id == call.id
    assert memory.provenance.request_id == request_id
    assert memory.provenance.correlation_id == call.correlation_id == "correlation-7"


async def test_a_conversation_without_a_time_happened_now(world: World) -> None:
    await world.add_messages(Message(USER, "Hello"))
    [memory] = world.store.memories.values()
    assert memory.event_time == NOW


async def test_options_of_inference_are_ignored(world: World) -> None:
    command = replace(saying(Message(USER, "Hello")), includes="food", excludes="Hello")
    outcome = await world.add_verbatim(command)
    assert [change.categories for change in outcome.changes] == [()]
    assert outcome.language_model is None
