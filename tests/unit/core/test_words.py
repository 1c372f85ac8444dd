"""Splitting text in any script into words, and stemming them."""

from __future__ import annotations

import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.core.text import english_stem, words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("I work at McDonald's.", ["I", "work", "at", "McDonald's"]),
        ("Coeur d\u2019Alene, L'Aquila", ["Coeur", "d'Alene", "L'Aquila"]),
        ("AC/DC, AT&T and node.js!", ["AC/DC", "AT&T", "and", "node.js"]),
        ("C++ or F# or C#?", ["C++", "or", "F#", "or", "C#"]),
        ("ana@old.example", ["ana", "old.example"]),
        ("a well-known one-off", ["a", "well-known", "one-off"]),
        (
            "\u092e\u0948\u0902 \u0926\u093f\u0932\u094d\u0932\u0940 \u0964",
            ["\u092e\u0948\u0902", "\u0926\u093f\u0932\u094d\u0932\u0940"],
        ),
        ("Ma\u0301laga", ["M\u00e1laga"]),
        ("", []),
        ("... + # & /", []),
    ],
)  # fmt: skip
def test_text_is_split_into_words(text: str, expected: list[str]) -> None:
    assert words(text) == expected


@given(st.text())
def test_a_decomposed_text_has_the_words_of_the_composed_one(text: str) -> None:
    assert words(unicodedata.normalize("NFD", text)) == words(unicodedata.normalize("NFC", text))


@pytest.mark.parametrize("unit", ["a", "a'", "a.b", "+", "a+", "\u093e", "' "])
def test_the_time_of_words_is_linear(unit: str) -> None:
    start = time.process_time()
    words(unit * 100_000)
    assert time.process_time() - start < 1


def test_words_are_stemmed() -> None:
    assert english_stem("Lives") == english_stem("living") == english_stem("live")
    assert english_stem("nuts") == english_stem("nut")
    assert english_stem("nut") != english_stem("note")
