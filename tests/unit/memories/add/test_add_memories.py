"""Adding memories: a request id has one effect."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from uuid import UUID

import pytest

from server.core.errors import RequestIdReused
from server.memories.add.add_memories import AddMemories, AddMemoriesCommand, AddMemoriesOutcome
from server.memories.add.inference import ProposedRelation
from server.memories.add.verbatim import AddVerbatim
from server.memories.conversation import Message, Role
from tests.support.builders import ALICE, PROJECT
from tests.support.fake_store import FakeStore
from tests.support.fakes import FakeClock, FakeEmbedder
from tests.support.inference import HELLO, SAID, World, add, delete, update

REQUEST_ID = UUID(int=1)
COMMAND = AddMemoriesCommand(
    project_id=PROJECT,
    scope=ALICE,
    messages=[HELLO],
    metadata={},
    request_id=REQUEST_ID,
    payload_digest=b"payload",
)
VERBATIM = replace(COMMAND, infer=False)


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def add_memories(world: World) -> AddMemories:
    verbatim = AddVerbatim(world.store, world.embedder, FakeClock())
    return AddMemories(world.store, verbatim, world.add_inferred)


async def test_the_command_decides_how_to_remember(world: World, add_memories: AddMemories) -> None:
    world.model.script.append([add("Likes tea")])
    inferred = await add_memories(replace(COMMAND, request_id=None))
    verbatim = await add_memories(replace(VERBATIM, request_id=None))
    assert [change.text for change in inferred.changes] == ["Likes tea"]
    assert [change.text for change in verbatim.changes] == [SAID]


async def test_a_repeated_request_returns_the_first_response(
    world: World, add_memories: AddMemories
) -> None:
    await world.knows("Lives in Porto", "Likes coffee")
    lives = ProposedRelation("Alice", "lives in", "Lisbon")
    likes = ProposedRelation("Alice", "likes", "tea")
    world.model.script.append(
        [
            delete(2),
            update(1, "Lives in Lisbon", relations=[lives]),
            add("Likes tea", categories=["food"], relations=[likes]),
        ]
    )
    first = await add_memories(COMMAND)
    again = await add_memories(COMMAND)
    assert [tuple(change.categories) for change in again.changes] == [(), (), ("food",)]
    assert again == first
    assert len(first.changes) == 3
    assert len(first.relations) == 2


async def test_a_repeated_request_does_nothing(world: World, add_memories: AddMemories) -> None:
    first = await add_memories(VERBATIM)
    batches = len(world.embedder.batches)
    assert await add_memories(VERBATIM) == first
    assert len(world.store.change_sets) == 1
    assert len(world.embedder.batches) == batches


async def test_another_payload_is_refused(world: World, add_memories: AddMemories) -> None:
    await add_memories(VERBATIM)
    with pytest.raises(RequestIdReused) as raised:
        await add_memories(replace(VERBATIM, payload_digest=b"other"))
    assert raised.value.metadata == {"request_id": str(REQUEST_ID)}
    assert len(world.store.change_sets) == 1


async def test_another_project_may_use_the_same_id(world: World, add_memories: AddMemories) -> None:
    await add_memories(VERBATIM)
    other = await add_memories(replace(VERBATIM, project_id="project-2", payload_digest=b"other"))
    assert len(other.changes) == 1


async def test_calls_without_an_id_are_independent(world: World, add_memories: AddMemories) -> None:
    anonymous = replace(VERBATIM, request_id=None)
    await add_memories(anonymous)
    await add_memories(anonymous)
    assert len(world.store.change_sets) == 2


class Overtaken:
    """Fails because another call with the same id was faster."""

    def __init__(self, other: Callable[[], Awaitable[object]]) -> None:
        self._other = other

    async def __call__(self, command: AddMemoriesCommand) -> AddMemoriesOutcome:
        await self._other()
        assert command.request_id is not None
        raise RequestIdReused(command.request_id)


async def test_two_concurrent_calls_have_one_effect_and_one_response() -> None:
    store = FakeStore()
    verbatim = AddVerbatim(store, FakeEmbedder(), FakeClock())
    overtaken = Overtaken(lambda: verbatim(VERBATIM))
    outcome = await AddMemories(store, overtaken, overtaken)(VERBATIM)
    assert [change.text for change in outcome.changes] == [SAID]
    assert len(store.change_sets) == 1


async def test_two_concurrent_calls_with_different_payloads_are_not_mixed_up() -> None:
    store = FakeStore()
    verbatim = AddVerbatim(store, FakeEmbedder(), FakeClock())
    other = replace(VERBATIM, payload_digest=b"other", messages=[Message(Role.USER, "Hello")])
    overtaken = Overtaken(lambda: verbatim(other))
    with pytest.raises(RequestIdReused):
        await AddMemories(store, overtaken, overtaken)(VERBATIM)


async def test_a_reused_id_whose_call_was_deleted_stays_an_error() -> None:
    async def nothing() -> None:
        """No other call was faster, but the id is taken."""

    overtaken = Overtaken(nothing)
    with pytest.raises(RequestIdReused):
        await AddMemories(FakeStore(), overtaken, overtaken)(VERBATIM)
