"""Splitting text into sentences."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.core.text import sentences, without_marker


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("I ski. Do you?  Yes!", ["I ski. ", "Do you?  ", "Yes!"]),
        ("I saw Dr. Lee in St. Louis. It rained.", ["I saw Dr. Lee in St. Louis. ", "It rained."]),
        ("Ana came with me. I ski.", ["Ana came with me. ", "I ski."]),
        ("I like tea\nMax likes rum", ["I like tea\n", "Max likes rum"]),
        ("I like tea\nand rum", ["I like tea\nand rum"]),
        ("i like tea\ni like rum", ["i like tea\n", "i like rum"]),
        ("I like tea\n\nand rum", ["I like tea\n\n", "and rum"]),
        ("\u6211\u559c\u6b22\u8336\u3002\u4e0b\u96e8\u4e86\u3002",
         ["\u6211\u559c\u6b22\u8336\u3002", "\u4e0b\u96e8\u4e86\u3002"]),
        ("", []),
    ],
)  # fmt: skip
def test_text_is_split_into_sentences(text: str, expected: list[str]) -> None:
    assert list(sentences(text)) == expected


@given(st.text(alphabet="ab I.!?\n\r\"'- \u3002", max_size=80))
def test_the_sentences_together_are_the_text(text: str) -> None:
    assert "".join(sentences(text)) == text


def test_a_long_paragraph_is_split_at_its_sentences() -> None:
    text = "This is a sentence of some words. " * 500
    assert {len(sentence) for sentence in sentences(text)} == {34}


@pytest.mark.parametrize("marked", ["- tea", "* tea", "1. tea", "(2) tea", "## tea", "\u2022 tea"])
def test_markers_of_lists_and_headings_are_recognized(marked: str) -> None:
    assert without_marker(marked) == "tea"
    assert without_marker("-5 degrees") == "-5 degrees"
