"""Text of a model is cleaned before it is stored."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.memories.add.quotes import clean_text


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("lives  in\tOslo\n", "lives in Oslo"),
        ("lives\x00in\x7fOslo\x9b", "lives in Oslo"),
        ("Oslo\ud800", "Oslo"),
        ("two\u00a0words", "two words"),
        ("न\u200dम", "न\u200dम"),
        ("", ""),
    ],
)
def test_control_characters_and_lone_surrogates_become_single_spaces(
    text: str, cleaned: str
) -> None:
    assert clean_text(text) == cleaned


@given(st.text(st.characters()))
def test_cleaned_text_can_be_encoded_and_stays_as_it_is(text: str) -> None:
    cleaned = clean_text(text)
    cleaned.encode()
    assert clean_text(cleaned) == cleaned
