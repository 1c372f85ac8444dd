"""First person becomes third, in good grammar or not at all."""

from __future__ import annotations

import pytest

from server.adapters.offline.rewriting import Speaker, attributed, rewritten

USER = Speaker("User")


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("I moved to Lisbon.", "User moved to Lisbon"),
        ("my wife Anna is a doctor", "User's wife Anna is a doctor"),
        ("I'm a nurse!", "User is a nurse"),
        ("I\u2019m not a nurse", "User is not a nurse"),
        ("im vegan", "User is vegan"),
        ("I have two dogs", "User has two dogs"),
        ("I've been to Japan", "User has been to Japan"),
        ("I don't eat meat", "User doesn't eat meat"),
        ("I do not eat meat", "User does not eat meat"),
        ("I really like tea", "User really likes tea"),
        ("I study physics", "User studies physics"),
        ("I teach and watch birds", "User teaches and watch birds"),
        ("I go to the gym", "User goes to the gym"),
        ("I can't eat nuts", "User can't eat nuts"),
        ("I'd love to visit Japan", "User would love to visit Japan"),
        ("I'd been to Japan", "User had been to Japan"),
        ("I'll visit Japan", "User will visit Japan"),
        ("I read every day", "User reads every day"),
        ("I read a book yesterday", "User read a book yesterday"),
        ("I live in Lisbon and work at Acme", "User lives in Lisbon and works at Acme"),
        ("I live in Lisbon and I work at Acme", "User lives in Lisbon and works at Acme"),
        ("I live in Lisbon but I'm from Porto", "User lives in Lisbon but is from Porto"),
        ("I love music and dance", "User loves music and dance"),
        ("I live here and don't eat meat", "User lives here and doesn't eat meat"),
        ("My name is Al and I live in Rome", "User's name is Al and User lives in Rome"),
        ("I left because I was ill and I moved", "User left because User was ill and User moved"),
        ("I live in Porto with my wife", "User lives in Porto with their wife"),
        ("Anna gave me my first guitar", "Anna gave User User's first guitar"),
        ("My wife and I live in Porto", "User's wife and User live in Porto"),
        ("Anna and I met in Porto", "Anna and User met in Porto"),
        ("Last year I moved to Lisbon", "Last year User moved to Lisbon"),
        ("Our dog Rex is five", "User's dog Rex is five"),
        ("The red bike is mine", "The red bike is User's"),
        ("I can ski and speak French", "User can ski and speak French"),
        ("I taught myself\nto code", "User taught themself to code"),
        ("I wake up at 6 am and meditate", "User wakes up at 6 am and meditate"),
    ],
)
def test_rewriting(said: str, expected: str) -> None:
    assert rewritten(said, USER) == expected


@pytest.mark.parametrize(
    "said",
    [
        "We moved to Berlin",
        "I told you that I like tea",
        "So do I",
        "Now do I like tea",
        "I zorb the frob",
        "My sister lives with us",
        "Let's say I like tea",
    ],
)
def test_what_is_not_understood_is_not_rewritten(said: str) -> None:
    assert rewritten(said, USER) is None


def test_the_speaker_has_a_name() -> None:
    assert rewritten("I like my job", Speaker("Alice")) == "Alice likes their job"
    assert rewritten("My job is fine", Speaker("Alice")) == "Alice's job is fine"


def test_attribution_keeps_the_words() -> None:
    assert attributed("We moved\nto Berlin.", USER) == "User said: We moved to Berlin."
