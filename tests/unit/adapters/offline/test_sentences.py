"""Sentences are found where a reader finds them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.adapters.offline.sentences import split


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        (" \n\t ", []),
        ("I like tea", ["I like tea"]),
        ("I like tea. I live in Lisbon!", ["I like tea.", "I live in Lisbon!"]),
        ("i like tea. i live in lisbon", ["i like tea.", "i live in lisbon"]),
        ("Really?! Yes... I do.", ["Really?!", "Yes...", "I do."]),
        ("Dr. Silva is my doctor. I like her.", ["Dr. Silva is my doctor.", "I like her."]),
        ("My sister J. Silva is here.", ["My sister J. Silva is here."]),
        ("I run 3.5 km, e.g. on Sundays.", ["I run 3.5 km, e.g. on Sundays."]),
        ("I wake up at 6 a.m. every day.", ["I wake up at 6 a.m. every day."]),
        ("I wake up at 6 a.m. Then I run.", ["I wake up at 6 a.m.", "Then I run."]),
        ("See memoir.example.com for more.", ["See memoir.example.com for more."]),
        ("I like tea; I hate coffee", ["I like tea", "I hate coffee"]),
        ("I like tea\nI hate coffee", ["I like tea", "I hate coffee"]),
        ("i like tea\ni hate coffee", ["i like tea", "i hate coffee"]),
        ("I moved to\nlisbon last year.", ["I moved to\nlisbon last year."]),
        ("I like tea\n\nand rain", ["I like tea", "and rain"]),
        ("About me:\n- I like tea\n* I ski\n1. I run\n2) I swim", [
            "About me:", "I like tea", "I ski", "I run", "I swim"]),
        ("He said \u201cI like tea.\u201d Then he left.", [
            "He said \u201cI like tea.\u201d", "Then he left."]),
        ("\u6771\u4eac\u3002\u732b\uff01", ["\u6771\u4eac\u3002", "\u732b\uff01"]),
        ("I wrote this:\n```\nI like = tea.\n```\nI like tea.", ["I wrote this:", "I like tea."]),
        ("Am I? I am who I. am.", ["Am I?", "I am who I.", "am."]),
    ],
)  # fmt: skip
def test_sentences(text: str, expected: list[str]) -> None:
    assert list(split(text)) == expected


@given(st.text("aI .!?;\n\r`-1)\u3002\u201d"))
def test_every_sentence_stands_in_the_text_in_order(text: str) -> None:
    position = 0
    for sentence in split(text):
        assert sentence.strip() == sentence != ""
        position = text.index(sentence, position) + len(sentence)


@pytest.mark.parametrize(
    "unit", ["a", ". ", "a.", "?", "\n", "```\n", "- ", "1. ", '."', " \n", "#"]
)
def test_a_quarter_of_a_megabyte_of_anything_is_split(unit: str) -> None:
    text = unit * (262_144 // len(unit))
    assert sum(map(len, split(text))) <= len(text)
