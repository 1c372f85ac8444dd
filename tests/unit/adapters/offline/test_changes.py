"""What a new fact does to the memories that are there."""

from __future__ import annotations

import pytest

from tests.unit.adapters.offline.conversation import changes


@pytest.mark.parametrize(
    ("said", "known"),
    [
        ("I live in Lisbon", "User lives in Lisbon."),
        ("I live in Lisbon!", "user lives in  LISBON"),
        ("I moved to Lisbon", "User lives in Lisbon"),
        ("I really like tea", "User likes tea"),
        ("I like tea", "I like tea"),
        ("I like tea", "User likes tea and coffee"),
        ("I live in Lisbon", "User lives in Lisbon with their wife"),
    ],
)
async def test_what_is_known_changes_nothing(said: str, known: str) -> None:
    assert await changes(said, known=[known]) == []
    assert await changes(said, immutable=[known]) == []


@pytest.mark.parametrize(
    ("said", "known", "text"),
    [
        ("I moved to Lisbon", "User lives in Porto", "User moved to Lisbon"),
        ("I live in Lisbon now", "I live in Porto", "User lives in Lisbon now"),
        ("I moved from Porto to Lisbon", "User lives in Porto", "User moved from Porto to Lisbon"),
        ("I now work at Globex", "User works at Acme", "User now works at Globex"),
        ("I switched from Java to Rust", "User uses Java", "User switched from Java to Rust"),
        ("My favorite color is green", "User's favorite color is blue",
         "User's favorite color is green"),
        ("I don't like coffee anymore", "User likes coffee", "User doesn't like coffee anymore"),
        ("I hate coffee", "User loves coffee", "User hates coffee"),
        ("I like coffee now", "User dislikes coffee", "User likes coffee now"),
        ("I used to live in Paris", "User lives in Paris", "User used to live in Paris"),
        ("I'm vegan now", "User is vegetarian", "User is vegan now"),
        ("My wife Anna now works at Globex", "User's wife Anna works at Acme",
         "User's wife Anna now works at Globex"),
        ("My wife Anna quit her job at Acme", "User's wife Anna works at Acme",
         "User's wife Anna quit her job at Acme"),
        ("I no longer work at Acme, I work at Globex", "User works at Acme",
         "User no longer works at Acme, User works at Globex"),
    ],
)  # fmt: skip
async def test_a_change_updates_the_one_memory_that_it_changes(
    said: str, known: str, text: str
) -> None:
    bystanders = ["User likes hiking", "Bob lives in Porto", "Bob works at Acme"]
    assert await changes(said, known=[*bystanders, known]) == [f"{known} -> {text}"]


@pytest.mark.parametrize(
    ("said", "known"),
    [
        ("I no longer work at Acme.", "User works at Acme"),
        ("I quit my job.", "User works at Acme"),
        ("I quit my job at Acme.", "User works at Acme"),
        ("I don't live in Porto anymore.", "User lives in Porto"),
        ("I stopped playing tennis.", "User plays tennis"),
        ("I quit smoking.", "User smokes"),
        ("I gave up coffee", "User drinks coffee"),
        ("I broke up with Sarah.", "User is dating Sarah"),
        ("I'm no longer vegetarian.", "User is vegetarian"),
    ],
)
async def test_a_denial_deletes_what_it_denies(said: str, known: str) -> None:
    bystanders = ["User likes hiking", "Bob works at Acme", "User's wife smokes"]
    assert await changes(said, known=[*bystanders, known]) == [f"- {known}"]


@pytest.mark.parametrize(
    ("said", "known"),
    [
        ("I work at Globex", "User works at Acme"),  # one may have two jobs
        ("I moved to Lisbon in 2012", "User lives in Porto"),  # but where since?
        ("I moved to Lisbon", "Anna lives in Porto"),
        ("I moved to Lisbon", "User lives in Porto and works at Acme"),  # the job would be lost
        ("I like tea", "User likes coffee"),
        ("I no longer work at Acme", "User works at Globex"),
        ("I will climb Everest in 2027", "User climbed Everest"),
        ("My wife likes tea", "User dislikes tea"),
        ("I don't smoke", "User's wife smokes"),
        ("Anna likes Bob", "Bob likes Anna"),
        ("I ran a marathon", "User never ran a marathon"),
    ],
)
async def test_other_memories_are_left_alone(said: str, known: str) -> None:
    (change,) = await changes(said, known=[known])
    assert change.startswith("+ ")


async def test_of_two_memories_that_could_be_meant_none_is_touched() -> None:
    known = ["User lives in Porto", "User lives in Paris"]
    assert await changes("I moved to Lisbon", known=known) == ["+ User moved to Lisbon"]
    assert await changes("I moved from Paris to Lisbon", known=known) == [
        "User lives in Paris -> User moved from Paris to Lisbon"
    ]


async def test_an_immutable_memory_is_left_alone() -> None:
    assert await changes("I moved to Lisbon", immutable=["User lives in Porto"]) == [
        "+ User moved to Lisbon"
    ]


async def test_later_words_correct_earlier_ones() -> None:
    said = ["I live in Paris.", "Actually, I moved to Lisbon.", "I like tea. I like tea!"]
    assert await changes(*said) == ["+ User moved to Lisbon", "+ User likes tea"]
    assert await changes(*said, known=["User lives in Porto"]) == [
        "User lives in Porto -> User moved to Lisbon",
        "+ User likes tea",
    ]


async def test_one_may_change_back() -> None:
    said = "I live in Paris. I moved to Lisbon. I live in Paris."
    assert await changes(said) == ["+ User lives in Paris"]


async def test_what_begins_and_ends_in_one_conversation() -> None:
    assert await changes("I work at Acme.", "I no longer work at Acme.") == [
        "+ User no longer works at Acme"
    ]
    assert await changes(
        "I now work at Globex.", "I quit my job at Globex.", known=["User works at Acme"]
    ) == ["- User works at Acme"]
