"""Blanking an erased memory's text out of a message that supports another memory."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.memories.change.effects import BLANK, phrase_of, redacted

WORK = "I work at Acme, and I like it."
MESSAGE = f"I live in Lisbon. {WORK}"


@pytest.mark.parametrize(
    ("erased", "kept", "expected"),
    [
        (["I live in Lisbon."], [], (f"{BLANK} {WORK}", False)),
        (["I live in Lisbon."], ["I work at Acme"], (f"{BLANK} {WORK}", False)),
        ([WORK], ["I live in Lisbon."], (f"I live in Lisbon. {BLANK}", False)),
        (["I work at Acme"], ["at Acme, and I like it."], (MESSAGE, True)),
        (["I live in Lisbon."], [""], (MESSAGE, True)),
        (["not in it"], [], (MESSAGE, False)),
        (["Lisbon", "I live in Lisbon."], [], (f"{BLANK} {WORK}", False)),
        ([MESSAGE], [], (BLANK, False)),
        ([""], [], (MESSAGE, False)),
        (["i LIVE in lisbon"], [], (f"{BLANK}. {WORK}", False)),
        (["I l"], ["I like it."], (MESSAGE.replace("I l", BLANK, 1), True)),
    ],
)
def test_phrases_are_blanked_unless_other_memories_quote_them(
    erased: list[str], kept: list[str], expected: tuple[str, bool]
) -> None:
    assert redacted(MESSAGE, erased, kept) == expected


@pytest.mark.parametrize(
    ("passage", "phrase"),
    [(" I sing. ", "I sing"), ("Really?!", "Really"), ("...", "..."), ("I sing", "I sing")],
)
def test_repetitions_are_found_without_their_final_punctuation(passage: str, phrase: str) -> None:
    assert phrase_of(passage) == phrase


words = st.text("ab ", max_size=12)


@given(words, st.lists(words.filter(bool), max_size=3), st.lists(words.filter(bool), max_size=3))
def test_only_quotes_of_other_memories_remain(
    content: str, erased: list[str], kept: list[str]
) -> None:
    after, retained = redacted(content, erased, kept)
    assert all(passage in after for passage in kept if passage in content)
    if not retained:
        rest = after.split(BLANK)
        assert not any(passage in part for passage in erased for part in rest)
