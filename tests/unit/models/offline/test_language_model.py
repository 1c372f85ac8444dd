"""The offline model as a whole: quotes, policies, and robustness."""

from __future__ import annotations

import threading
import time
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.core.errors import DeadlineExceeded
from server.core.request_context import RequestContext, current_request, enter_request
from server.graph.model import Entity
from server.memories.add.inference import (
    BUILT_IN_CATEGORIES,
    Candidate,
    Category,
    InferenceRequest,
    ProposedOperation,
)
from server.memories.add.proposals import MAX_OPERATIONS
from server.memories.changes import Addition
from server.memories.conversation import Message, Role
from server.models.offline import language_model as module
from server.models.offline.language_model import Extraction, OfflineLanguageModel
from server.models.offline.lexicon import word_set
from server.models.ports import LanguageModel
from tests.support.plans import plan_of
from tests.unit.models.offline.conversation import MONDAY, changes, planned, triples

EMPTY = InferenceRequest([], [], [], MONDAY)


async def test_it_is_a_language_model() -> None:
    model: LanguageModel = OfflineLanguageModel()
    answer = await model.infer(EMPTY)
    assert model.model == answer.model == "offline/extractive-2"
    assert answer.prompt_version == "extractive-2"
    assert not answer.operations


async def test_all_fields_of_an_operation_are_set() -> None:
    (operation,) = await planned("Hello!\nBtw, I work at Acme in Lisbon.")
    assert isinstance(operation, Addition)
    assert operation.text == "User works at Acme in Lisbon"
    [evidence] = operation.evidence
    assert (evidence.message_id.int, evidence.quote) == (0, "Btw, I work at Acme in Lisbon.")
    assert operation.categories == ("professional_details",)
    assert operation.entities == (
        Entity("User", "person"),
        Entity("Acme", "organization"),
        Entity("Lisbon", "place"),
    )


async def test_facts_name_their_messages() -> None:
    rules = Message(Role.SYSTEM, "I like rain.")
    facts = await planned(rules, "I like tea.", "How are you?", "I ski.")
    named = [fact.evidence[0] for fact in facts if isinstance(fact, Addition)]
    assert [evidence.message_id.int for evidence in named] == [1, 3]


async def test_a_named_speaker_is_called_by_name() -> None:
    message = Message(Role.USER, "I like my job. My sister Eve likes tea.", "Alice")
    first, second = await planned(message)
    assert triples(first) == [("Alice", "likes", "job")]
    assert triples(second) == [("Eve", "sister_of", "Alice"), ("Eve", "likes", "tea")]


async def test_long_names_do_no_harm() -> None:
    (operation,) = await planned(Message(Role.USER, "I like tea.", "N" * 600))
    assert isinstance(operation, Addition)
    assert operation.text == "N" * 64 + " likes tea"
    flood = "Tea is what me " + "me " * 250 + "like."
    assert await planned(Message(Role.USER, flood, "N" * 600)) == ()


async def test_only_names_are_entities() -> None:
    garden, car = await planned("Gardening calms me. I drive a red Tesla.")
    assert isinstance(garden, Addition)
    assert isinstance(car, Addition)
    assert garden.entities == (Entity("User", "person"),)
    assert car.entities == (Entity("User", "person"), Entity("red Tesla"))


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("I have a brother named Tom who lives in Rome.", [("Tom", "lives_in", "Rome")]),
        ("I have a friend, Mikkel, who works at Acme.", [("Mikkel", "works_at", "Acme")]),
        ("I have a brother named Tom who wants to live in Rome.", []),
        ("I had a brother named Tom who lived in Rome.", []),
    ],
)
async def test_a_clause_is_about_the_person_that_it_introduces(
    said: str, told: list[tuple[str, str, str]]
) -> None:
    (operation,) = await planned(said)
    introduced, *others = triples(operation)
    assert introduced[1] in {"brother_of", "friend_of"}
    assert others == told


@pytest.mark.parametrize("role", [Role.TOOL, Role.SYSTEM])
async def test_messages_of_tools_and_the_system_are_ignored(role: Role) -> None:
    assert await planned(Message(role, "I live in Rome. My name is Bob.")) == ()


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("I'm an AI assistant.", ["+ Assistant is an AI assistant"]),
        ("I've booked a table for Friday.", ["+ Assistant has booked a table for Friday"]),
        ("I recommended the Alfama tour to you.",
         ["+ Assistant said: I recommended the Alfama tour to you"]),
        ("I can help you with that. I'd be happy to! I'm glad you like tea.", []),
        ("You live in Lisbon. Your sister Anna works at Acme. Anna likes tea.", []),
        ("I love hiking. I live in Rome.", []),
        ("Do you like tea?", []),
    ],
)  # fmt: skip
async def test_an_assistant_states_facts_only_about_itself(said: str, expected: list[str]) -> None:
    assert await changes(Message(Role.ASSISTANT, said)) == expected


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("Tom is in now.", []),
        ("Nokia is on.", []),
        ("My aunt a name am now.", []),
        ("My sister my name's.", []),
        ('I called my " ".', ['+ User called their " "']),
        ("She w , : We She but not.", ["+ User said: We She but not"]),
    ],
)
async def test_odd_sentences_raise_no_errors(said: str, expected: list[str]) -> None:
    assert await changes(said) == expected


async def test_pronouns_refer_to_the_person_mentioned_before() -> None:
    content = (
        "I have a sister named Anna. She works at Acme. Her birthday is on May 5th. It's late."
    )
    assert await changes(content) == [
        "+ User has a sister named Anna",
        "+ Anna works at Acme",
        "+ Anna's birthday is on May 5th",
    ]
    assert await changes("She works at Acme.") == []
    assert await changes("My sister Anna is a nurse. It costs 5 euros.") == [
        "+ User's sister Anna is a nurse"
    ]
    assert await changes("My sister Anna is married to Bob. She works at Acme.") == [
        "+ User's sister Anna is married to Bob"
    ]
    _, cheese = await planned("My dog Rex is old. He loves cheese.")
    assert isinstance(cheese, Addition)
    assert cheese.entities == (Entity("Rex", "animal"), Entity("cheese"))


async def test_earlier_messages_only_resolve_pronouns() -> None:
    def earlier(*texts: str) -> list[Message]:
        return [Message(Role.USER, text) for text in texts]

    anna = earlier("I have a sister named Anna.", "The sea was calm.")
    assert await changes("She works at Acme.", context=anna) == ["+ Anna works at Acme"]
    bob = earlier(*(message.content or "" for message in anna), "I have a brother named Bob.")
    assert await changes("He works at Acme.", context=bob) == ["+ Bob works at Acme"]
    assert await changes("Thanks!", context=anna) == []


async def test_includes_and_excludes_are_applied() -> None:
    content = "I like sushi. I work at Acme. My knee hurts. I like the guitar."
    assert await changes(content, includes="only food preferences") == ["+ User likes sushi"]
    assert await changes(content, includes="professional details") == ["+ User works at Acme"]
    kept = ["+ User likes sushi", "+ User's knee hurts", "+ User likes the guitar"]
    assert await changes(content, excludes="anything about his work") == kept
    assert await changes(content, includes="guitars, sushi", excludes="food") == [
        "+ User likes the guitar"
    ]
    assert len(await changes(content, includes="only important things")) == 4


async def test_custom_categories_match_by_their_words() -> None:
    custom = [Category("gear", "cameras and lenses"), Category("food"), Category("Reisen")]
    camera, sushi, car = await planned(
        "I bought a camera. I like sushi. I drive a Tesla.", categories=custom
    )
    assert isinstance(camera, Addition)
    assert isinstance(sushi, Addition)
    assert isinstance(car, Addition)
    assert (camera.categories, sushi.categories, car.categories) == (("gear",), ("food",), ())


async def test_the_number_of_operations_is_limited() -> None:
    many = " ".join(f"I visited Rome{number}." for number in range(MAX_OPERATIONS + 50))
    assert len(await planned(many)) == MAX_OPERATIONS


async def test_corrected_facts_do_not_count_as_operations() -> None:
    moves = " ".join(f"I moved to Rome{number}." for number in range(MAX_OPERATIONS + 50))
    assert await changes(f"{moves} I like tea.") == [
        f"+ User moved to Rome{MAX_OPERATIONS + 49}",
        "+ User likes tea",
    ]


# --- any input ----------------------------------------------------------------------------------

WORDS = """I I'm my My we you like live moved to from in at Lisbon Porto Anna wife sister and but no
    longer not don't is who named a the dog job , . ; ? ! ( ) ' - as quit stopped playing favorite
    color her She today 2 years ago User User's their said:"""
MARKS = ("\u2019", "\u0130", "\u00df", "\u4eac", "\u2028", "\x1f", "\n", "\n- ", "```", "{")
PIECES = st.sampled_from([*sorted(word_set(WORDS)), *MARKS])
LOOSE = st.lists(PIECES, max_size=12).map(" ".join) | st.text(max_size=40)
BEGINNINGS = (
    "I like ",
    "I live in ",
    "I don't like ",
    "I quit ",
    "My sister ",
    "I'm ",
    "I moved to ",
)
TEXTS = LOOSE | st.builds(lambda begin, rest: begin + rest, st.sampled_from(BEGINNINGS), LOOSE)
MESSAGES = st.lists(
    st.builds(Message, st.sampled_from(Role), TEXTS, st.none() | st.text(max_size=10)),
    max_size=3,
)


@given(MESSAGES, st.lists(TEXTS, max_size=3), st.none() | TEXTS)
async def test_every_answer_can_be_planned(
    messages: list[Message], known: list[str], wish: str | None
) -> None:
    first = await planned(*messages, known=known, includes=wish)
    assert first == await planned(*messages, known=known, includes=wish)


@given(MESSAGES, st.lists(TEXTS, max_size=3))
async def test_every_quote_occurs_in_its_message(messages: list[Message], known: list[str]) -> None:
    candidates = [Candidate(UUID(int=number), text, 1, False) for number, text in enumerate(known)]
    request = InferenceRequest(messages, candidates, [], MONDAY)
    for operation in Extraction(request).run():
        assert operation.quote in (messages[operation.message - 1].content or "")


@given(LOOSE)
async def test_questions_state_no_facts(rest: str) -> None:
    line = " ".join(rest.replace("?", " ").replace(".", " ").replace("!", " ").split())
    assert await planned(f"Do you think that I live in Lisbon, {line} and I like tea?") == ()


LONG_UNITS = [
    "a", "I ", "I am ", "and ", "I like ", "I like tea and ", "Anna ", "my wife ", ", ", "(", "' ",
    "I like tea. ", "- ", "well, ", "just ", "no longer ", "is is ", "Anna's ", "in 3 days ",
    "I like tea?", "of the ", "hi hi, ",
]  # fmt: skip


@pytest.mark.parametrize("unit", LONG_UNITS)
@pytest.mark.parametrize("size", [900, 262_144])
async def test_long_repetitions_are_processed_in_time(unit: str, size: int) -> None:
    assert len(await planned(unit * (size // len(unit)))) <= 1


async def test_many_different_sentences_are_processed_in_time() -> None:
    sentences = (f"I like tea with {number} spoons of sugar." for number in range(6_000))
    assert len(await planned(" ".join(sentences))) == MAX_OPERATIONS


async def test_long_conversations_do_not_block_the_event_loop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    on_main_thread: list[bool] = []

    def run(self: Extraction) -> list[ProposedOperation]:
        on_main_thread.append(threading.current_thread() is threading.main_thread())
        return []

    monkeypatch.setattr(Extraction, "run", run)
    await planned("I like tea.")
    await planned("I like tea. " * module._THREAD_FROM_CHARACTERS)
    assert on_main_thread == [True, False]


async def test_a_call_without_time_left_does_not_start() -> None:
    before = current_request()
    enter_request(RequestContext("test", deadline=time.monotonic() - 1))
    try:
        with pytest.raises(DeadlineExceeded):
            await OfflineLanguageModel().infer(EMPTY)
    finally:
        enter_request(before)


@pytest.mark.parametrize(
    ("said", "known", "covered"),
    [
        (["I moved to Lisbon."], ["User moved to Lisbon"], ["I moved to Lisbon."]),
        (["I live in Lisbon. I live in Lisbon!"], [], ["I live in Lisbon.", "I live in Lisbon!"]),
        # The sentence says more than the memory.
        (["As I said, I moved to sunny Lisbon."], ["User moved to sunny Lisbon"], []),
    ],
)
async def test_a_repeated_fact_changes_nothing(
    said: list[str], known: list[str], covered: list[str]
) -> None:
    request = InferenceRequest(
        messages=[Message(Role.USER, text) for text in said],
        candidates=[Candidate(UUID(int=1), text, 1, False) for text in known],
        categories=BUILT_IN_CATEGORIES,
        event_time=MONDAY,
    )
    found = plan_of(request, await OfflineLanguageModel().infer(request))
    assert [passage.text for passage in found.evidence] == covered
    assert len(found.changes) == (0 if known else 1)


async def test_a_repeated_fact_can_be_denied() -> None:
    content = "I like tea. I don't like tea any more."
    assert await changes("I like tea.", content, known=["User likes tea"]) == await changes(
        content, known=["User likes tea"]
    )
    assert "User likes tea" not in await changes(content, known=["User likes tea"])
