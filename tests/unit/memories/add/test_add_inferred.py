"""Adding with `infer=true`: requests to the models, and the changes from their answers."""

from __future__ import annotations

from datetime import UTC, date, datetime
from uuid import uuid4

import pytest

from server.core.errors import ExtractionFailed
from server.core.transient_errors import ModelQuotaExhausted
from server.memories.add.inference import (
    BUILT_IN_CATEGORIES,
    Category,
    ProposedOperation,
    ProposedRelation,
)
from server.memories.add.inferred import CANDIDATES_AT_MOST
from server.memories.conversation import Message, Role
from server.memories.memory import EventType, Evidence
from server.memories.scope import Scope
from server.models.ports import EmbeddingPurpose
from server.projects.project import Project
from tests.support.builders import ALICE, EMBEDDER, NOW, PROJECT
from tests.support.fakes import LANGUAGE_MODEL, PROMPT_VERSION
from tests.support.inference import HELLO, SAID, World, add, delete, update

BY_ALICE = f"Alice: {SAID}"
"""What is embedded of it."""

ASSISTANT = Message(Role.ASSISTANT, "Welcome to Lisbon!")
SYSTEM = Message(Role.SYSTEM, "Be kind.")


@pytest.fixture
def world() -> World:
    return World()


async def test_an_add_costs_one_question_and_two_embedding_batches(world: World) -> None:
    await world.add_messages(add("Lives in Lisbon"), add("Likes tea"), messages=[HELLO, ASSISTANT])
    assert len(world.model.requests) == 1
    assert world.embedder.batches == [
        ([BY_ALICE, ASSISTANT.content], EmbeddingPurpose.DOCUMENT),
        (["Lives in Lisbon", "Likes tea"], EmbeddingPurpose.DOCUMENT),
    ]


async def test_additions_and_updates_share_a_batch(world: World) -> None:
    await world.knows("Lives in Porto")
    world.embedder.batches.clear()
    await world.add_messages(update(1, "Lives in Lisbon"), add("Likes tea"))
    assert [texts for texts, _ in world.embedder.batches] == [
        [BY_ALICE],
        ["Lives in Lisbon", "Likes tea"],
    ]
    [_, changes] = world.store.change_sets
    assert changes.added[0].embedding == world.embedder.vector_of("Likes tea")
    assert changes.updated[0].embedding == world.embedder.vector_of("Lives in Lisbon")


async def test_an_add_without_new_texts_costs_one_embedding_batch(world: World) -> None:
    outcome = await world.add_messages()
    assert len(world.embedder.batches) == 1
    assert outcome.changes == []
    assert [m.content for m in world.store.change_sets[0].messages] == [SAID]


async def test_system_messages_alone_cost_no_model_call(world: World) -> None:
    outcome = await world.add_messages(messages=[SYSTEM])
    assert world.model.requests == []
    assert world.embedder.batches == []
    assert outcome.changes == []
    assert [m.content for m in world.store.change_sets[0].messages] == ["Be kind."]


async def test_system_messages_are_context_and_not_compared(world: World) -> None:
    await world.add_messages(messages=[SYSTEM, HELLO])
    assert list(world.model.requests[0].messages) == [SYSTEM, HELLO]
    assert world.embedder.batches[0][0] == [BY_ALICE]


async def test_changes_are_returned_in_the_order_of_the_answer(world: World) -> None:
    await world.knows("Lives in Porto", "Likes coffee")
    outcome = await world.add_messages(delete(2), add("Likes tea"), update(1, "Lives in Lisbon"))
    first, second = world.model.requests[0].candidates
    added = outcome.changes[1].memory_id
    answered = [(c.event, c.memory_id, c.text, c.previous_text, c.version) for c in outcome.changes]
    assert answered == [
        (EventType.DELETE, second.id, second.text, None, 2),
        (EventType.ADD, added, "Likes tea", None, 1),
        (EventType.UPDATE, first.id, "Lives in Lisbon", first.text, 2),
    ]
    assert set(world.store.memories) == {first.id, added}


async def test_relations_are_returned_in_the_order_of_the_answer(world: World) -> None:
    await world.knows("Lives in Porto")
    lives = ProposedRelation("Alice", "lives in", "Lisbon")
    likes = ProposedRelation("Alice", "likes", "tea")
    outcome = await world.add_messages(
        update(1, "Lives in Lisbon", relations=[lives]), add("Likes tea", relations=[likes])
    )
    assert [added.relation.relation for added in outcome.relations] == ["lives_in", "likes"]


async def test_a_fact_stored_by_another_call_is_not_returned(world: World) -> None:
    async def somebody_is_faster() -> None:
        await world.knows("Likes tea")

    world.model.thinking = somebody_is_faster
    outcome = await world.add_messages(add("Likes tea"), add("Lives in Lisbon"))
    assert [change.text for change in outcome.changes] == ["Lives in Lisbon"]


async def test_a_near_duplicate_adds_nothing(world: World) -> None:
    await world.knows("The user likes tea", immutable=True)
    await world.knows("User lives in Porto", "User owns a boat")
    world.embedder.batches.clear()
    boat, porto = 0, 0
    for number, candidate in enumerate(await world.candidates(BY_ALICE), start=1):
        boat = number if "boat" in candidate.text else boat
        porto = number if "Porto" in candidate.text else porto
    outcome = await world.add_messages(
        add("User likes tea."),
        update(porto, "User lives in Lisbon"),
        add("The user lives in Lisbon"),
        delete(boat),
        add("User owns the boat"),
        add("User plays chess"),
        add("The user plays chess"),
    )
    assert [(change.event, change.text) for change in outcome.changes] == [
        (EventType.UPDATE, "User lives in Lisbon"),
        (EventType.DELETE, "User owns a boat"),
        (EventType.ADD, "User owns the boat"),
        (EventType.ADD, "User plays chess"),
    ]
    assert len(world.embedder.batches) == 2


async def test_memories_have_the_values_of_their_call(world: World) -> None:
    [porto] = await world.knows("Lives in Porto")
    request_id = uuid4()
    await world.add_messages(
        update(1, "Lives in Lisbon"),
        add("Likes tea", quote="i LIKE tea", message=2, categories=["food"]),
        messages=[HELLO, Message(Role.USER, "I like tea!", "Ann")],
        metadata={"source": "chat"},
        immutable=True,
        event_time=datetime(2020, 2, 3, tzinfo=UTC),
        expiration_date=date(2027, 1, 1),
        request_id=request_id,
        payload_digest=b"payload",
    )
    [_, changes] = world.store.change_sets
    [memory], [revised] = changes.added, changes.updated
    assert (memory.text, memory.categories) == ("Likes tea", ("food",))
    assert (memory.role, memory.name) == (Role.USER, "Ann")
    assert (revised.role, revised.name) == (Role.USER, "Alice")
    assert memory.evidence == (Evidence(changes.messages[1].id, "I like tea", len("I like tea!")),)
    assert revised.evidence == (Evidence(changes.messages[0].id, SAID, len(SAID)),)
    assert (revised.memory_id, revised.version) == (porto.memory_id, 1)
    assert (changes.inferred, changes.immutable) == (True, True)
    assert changes.metadata == {"source": "chat"}
    assert changes.event_time == datetime(2020, 2, 3, tzinfo=UTC)
    assert changes.expiration_date == date(2027, 1, 1)
    made_by = changes.call
    assert (made_by.request_id, made_by.payload_digest) == (request_id, b"payload")
    models = made_by.embedding_model, made_by.language_model, made_by.prompt_version
    assert models == (EMBEDDER, LANGUAGE_MODEL, PROMPT_VERSION)


async def test_an_immutable_memory_is_a_candidate_but_not_changed(world: World) -> None:
    await world.knows("Lives in Porto", immutable=True)
    outcome = await world.add_messages(update(1, "Lives in Lisbon"), add("Likes tea"))
    assert [candidate.immutable for candidate in world.model.requests[0].candidates] == [True]
    assert [change.text for change in outcome.changes] == ["Likes tea"]


async def test_there_are_at_most_twenty_candidates_for_any_number_of_messages(world: World) -> None:
    await world.knows(*(f"fact {n}" for n in range(60)))
    for count in (1, 2, 40):
        await world.add_messages(messages=[Message(Role.USER, f"word {n}") for n in range(count)])
    shown = [len(request.candidates) for request in world.model.requests]
    assert shown[0] == shown[2] == CANDIDATES_AT_MOST
    assert CANDIDATES_AT_MOST // 2 <= shown[1] <= CANDIDATES_AT_MOST


async def test_a_single_message_can_change_several_memories(world: World) -> None:
    facts = [f"Likes {thing}" for thing in ("tea", "cake", "figs", "rice", "plums", "peas", "mint")]
    await world.knows(*facts)
    await world.add_messages(messages=[Message(Role.USER, "I like nothing of this any more")])
    assert {candidate.text for candidate in world.model.requests[0].candidates} == set(facts)


async def test_candidates_are_from_exactly_the_scope(world: World) -> None:
    await world.knows("Lives in Porto")
    await world.add_messages(scope=Scope(user_id="alice", run_id="r"))
    assert world.model.requests[0].candidates == []


OF_REQUEST, OF_PROJECT = Category("garden", "plants"), Category("boats")


@pytest.mark.parametrize(
    ("of_request", "of_project", "used"),
    [
        ([OF_REQUEST], [OF_PROJECT], [OF_REQUEST]),
        ([], [OF_PROJECT], [OF_PROJECT]),
        ([], [], list(BUILT_IN_CATEGORIES)),
    ],
)
async def test_categories_of_the_request_replace_those_of_the_project(
    world: World, of_request: list[Category], of_project: list[Category], used: list[Category]
) -> None:
    world.store.projects[PROJECT] = Project(PROJECT, "org", NOW, NOW, custom_categories=of_project)
    await world.add_messages(categories=of_request)
    assert list(world.model.requests[0].categories) == used


@pytest.mark.parametrize(
    ("of_request", "of_project", "used"),
    [
        ("Be brief.", "Be exact.", ["Be exact.", "Be brief."]),
        ("Be brief.", "", ["Be brief."]),
        (None, "Be exact.", ["Be exact."]),
        (None, "", []),
    ],
)
async def test_instructions_of_the_request_come_after_those_of_the_project(
    world: World, of_request: str | None, of_project: str, used: list[str]
) -> None:
    world.store.projects[PROJECT] = Project(
        PROJECT, "org", NOW, NOW, custom_instructions=of_project
    )
    await world.add_messages(instructions=of_request)
    assert list(world.model.requests[0].instructions) == used


async def test_a_project_that_does_not_exist_has_no_defaults(world: World) -> None:
    await world.add_messages()
    request = world.model.requests[0]
    assert (request.instructions, request.categories) == ([], BUILT_IN_CATEGORIES)


async def test_the_model_gets_the_policy_and_the_event_time(world: World) -> None:
    said_at = datetime(2020, 2, 3, tzinfo=UTC)
    await world.add_messages(includes="food", excludes="health", event_time=said_at)
    await world.add_messages()
    [asked, plain] = world.model.requests
    assert (asked.includes, asked.excludes, asked.event_time) == ("food", "health", said_at)
    assert (plain.includes, plain.excludes, plain.event_time) == (None, None, NOW)


async def test_only_version_2_sees_earlier_messages(world: World) -> None:
    for number in range(6):
        await world.add_messages(messages=[Message(Role.USER, f"said {number}"), ASSISTANT])
    await world.add_messages(scope=Scope(user_id="bob"), messages=[Message(Role.USER, "of Bob")])
    await world.add_messages(with_context=False)
    await world.add_messages(with_context=True)
    [without, with_context] = world.model.requests[-2:]
    assert without.context == []
    said = [message.content for message in with_context.context]
    assert len(said) == 10
    assert said[-3:] == ["said 5", ASSISTANT.content, SAID]


@pytest.mark.parametrize(
    "failure", [ExtractionFailed("m", "malformed"), ModelQuotaExhausted("m")], ids=repr
)
async def test_nothing_is_stored_when_the_model_fails(world: World, failure: Exception) -> None:
    world.model.script += [failure, failure]
    with pytest.raises(type(failure)):
        await world.add_messages()
    assert world.store.change_sets == []


async def test_nothing_is_stored_of_an_unusable_answer(world: World) -> None:
    for proposals in (
        [add("Likes tea"), add("Likes cake", message=7)],
        [add("Likes jazz", quote="I like jazz")],
    ):
        world.model.script = [proposals]
        with pytest.raises(ExtractionFailed):
            await world.add_messages(*proposals)
    assert world.store.change_sets == []
    assert len(world.locks) == 0


async def test_memories_belong_to_the_named_scope_and_project(world: World) -> None:
    await world.add_messages(add("Likes tea"))
    [memory] = world.store.memories.values()
    assert (memory.project_id, memory.scope) == (PROJECT, ALICE)


def left(world: World) -> list[tuple[str, list[str]]]:
    """Returns the passages of the last call, by role."""
    passages = world.store.change_sets[-1].passages
    return [(p.role.value, list(p.sentences)) for p in passages]


async def test_sentences_that_are_not_evidence_become_passages(world: World) -> None:
    await world.knows("Likes coffee")
    message = Message(Role.USER, "I like tea. Coffee is not for me. It rains.")
    await world.add_messages(
        add("Likes tea", quote="I like tea"),
        ProposedOperation("DELETE", "", 1, "Coffee is not for me", target=1),
        messages=[message, ASSISTANT],
        metadata={"a": 1},
        expiration_date=date(2027, 1, 1),
    )
    assert left(world) == [("user", ["It rains."]), ("assistant", ["Welcome to Lisbon!"])]
    changes = world.store.change_sets[-1]
    assert (changes.metadata, changes.expiration_date) == ({"a": 1}, date(2027, 1, 1))
    first, second = changes.passages
    assert first.message_id == changes.messages[0].id
    assert second.embedding == world.embedder.vector_of("Welcome to Lisbon!")


async def test_passages_come_after_the_memories_of_their_message(world: World) -> None:
    message = Message(Role.USER, "I like tea. It rains.")
    await world.add_messages(add("Likes tea", quote="I like tea"), messages=[message])
    changes = world.store.change_sets[-1]
    assert changes.passages is not None
    assert changes.added[0].memory_id < changes.passages[0].passage_id


async def test_sentences_that_repeat_a_memory_become_no_passage(world: World) -> None:
    await world.knows("Likes tea")
    message = Message(Role.USER, "I like tea. It rains.")
    await world.add_messages(add("likes tea.", quote="I like tea"), messages=[message])
    assert left(world) == [("user", ["It rains."])]


async def test_requests_to_forget_and_text_of_others_become_no_passage(world: World) -> None:
    message = Message(Role.USER, "Forget my shoe size. It rains.\n> I live in Ohio\nSee you!")
    forget = ProposedOperation("FORGET", "", 1, "Forget my shoe size.")
    await world.add_messages(forget, messages=[message])
    assert left(world) == [("user", ["It rains.\n", "See you!"])]
    assert world.store.change_sets[-1].forget_requests == ["Forget my shoe size."]


@pytest.mark.parametrize(
    "wish", [{"includes": "food"}, {"excludes": "health"}, {"instructions": "Be brief."}]
)
async def test_a_call_with_a_policy_keeps_no_passages(
    world: World, wish: dict[str, object]
) -> None:
    await world.add_messages(**wish)  # type: ignore[arg-type] # names fit
    assert world.store.change_sets[-1].passages == ()


@pytest.mark.parametrize(
    "settings", [{"keeps_passages": False}, {"custom_instructions": "Only what lasts."}]
)
async def test_a_project_can_turn_passages_off(world: World, settings: dict[str, object]) -> None:
    world.store.projects[PROJECT] = Project(PROJECT, "org", NOW, NOW, **settings)  # type: ignore[arg-type] # names fit
    await world.add_messages()
    assert world.store.change_sets[-1].passages == ()


async def test_parts_of_a_long_message_are_embedded_in_one_batch(world: World) -> None:
    message = Message(Role.USER, "A sentence of some words. " * 500)
    await world.add_messages(messages=[message])
    [(texts, _)] = world.embedder.batches
    assert len(texts) == 3
    passages = world.store.change_sets[-1].passages
    assert [p.embedding for p in passages] == [world.embedder.vector_of(text) for text in texts[1:]]
    assert "".join(s for p in passages for s in p.sentences) == message.content


async def test_sentences_are_compared_if_the_embedder_needs_it(world: World) -> None:
    world.embedder.compares_sentences = True
    await world.add_messages(messages=[Message(Role.USER, "I moved to Porto. I have a dog.")])
    [(texts, _)] = world.embedder.batches
    assert texts == ["I moved to Porto.", "I have a dog.", "I moved to Porto. I have a dog."]
