"""Which quotes are evidence for a proposal."""

from __future__ import annotations

import pytest

from server.core.errors import ExtractionFailed
from server.memories.add.proposals import NoticeReason
from tests.support.plans import held, planned, proposed, quotes_of, texts_of, tool, user

SAID = "I moved to Lisbon and I like tea, C++ and AC/DC."
HELD = held("User lives in Oslo", "User likes coffee", "User has a dog")


@pytest.mark.parametrize(
    "quote",
    [
        "e",
        "I",
        "tea",
        "Lisbon",
        "Lisbo",
        "o L",
        "ve t",
        "moved t",
        "C++",
        "AC/DC",
        "t o",
        ", ",
        "d A",
    ],
)
@pytest.mark.parametrize("action", ["ADD", "UPDATE", "DELETE", "FORGET"])
def test_a_letter_or_a_word_is_not_evidence(quote: str, action: str) -> None:
    proposal = proposed(action, quote, "User likes tea", target=1)
    with pytest.raises(ExtractionFailed) as caught:
        planned([user(SAID)], [proposal], HELD)
    assert caught.value.cause == "unsupported"


@pytest.mark.parametrize(
    ("said", "quote"),
    [
        (SAID, "I like tea"),
        (SAID, "moved to"),
        ("I smoke.", "I smoke"),
        ("Odio el pescado.", "odio el"),
        ("मैं दिल्ली में रहता हूँ।", "दिल्ली में रहता"),
        ("我吃素。", "我吃素"),
        ("私は東京に住んでいます。", "東京に住んで"),
        ("ฉันอยู่ที่เชียงใหม่", "อยู่ที่เชียงใหม่"),
        ("나는 서울에 살아요.", "서울에 살아요"),
    ],
)
def test_a_clause_is_evidence_in_every_script(said: str, quote: str) -> None:
    result = planned([user(said)], [proposed("ADD", quote, "a fact")])
    assert texts_of(result) == ["ADD a fact"]


@pytest.mark.parametrize(("said", "quote"), [("东京。", "东京"), ("Yes!", "yes"), ("e", "e")])
def test_a_message_of_one_word_is_not_evidence_and_a_notice_says_so(said: str, quote: str) -> None:
    proposals = [proposed("DELETE", quote, target=1), proposed("ADD", quote, "User agrees")]
    result = planned([user(said)], proposals, HELD)
    assert result.changes == ()
    assert [notice.reason for notice in result.notices] == [NoticeReason.NO_EVIDENCE]


def test_a_one_letter_quote_of_a_tool_changes_nothing() -> None:
    hostile = [proposed("DELETE", "e", message=2, target=n) for n in (1, 2, 3)]
    kept = proposed("ADD", "I like tea", "User likes tea")
    result = planned([user(SAID), tool("e")], [*hostile, kept], HELD)
    assert texts_of(result) == ["ADD User likes tea"]
    [notice] = result.notices
    assert notice.reason is NoticeReason.NO_EVIDENCE
    assert notice.text.startswith("3 changes were left out")


def test_all_occurrences_of_a_quote_are_checked_for_a_clause() -> None:
    content = "Blame ma teapot. I am a tea drinker."
    result = planned([user(content)], [proposed("ADD", "a tea", "User drinks tea")])
    assert quotes_of(result) == [(0, "a tea")]


def test_the_checked_occurrences_of_a_quote_are_limited() -> None:
    content = "xa ax " * 40_000
    with pytest.raises(ExtractionFailed):
        planned([user(content)], [proposed("ADD", "a a", "nothing")] * 200)
