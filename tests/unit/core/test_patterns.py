"""Regular expressions that are written over several lines and from named parts."""

from __future__ import annotations

import pytest

from server.core.patterns import Patterns, data_file

PATTERNS = {
    "drink": "\n  black tea\n  |coffee",
    "likes": r"i (?P<verb>like|love) <drink>$",
    "pet": r"my <animal>",
}


def test_a_pattern_names_other_patterns_and_is_for_any_case() -> None:
    likes = Patterns(PATTERNS)("likes")
    assert likes.fullmatch("I love Coffee")
    assert likes.fullmatch("i like black tea")
    assert not likes.fullmatch("I like black")


def test_a_pattern_names_lists_of_words_which_are_literal() -> None:
    pet = Patterns(PATTERNS, {"animal": ["cat", "d.g"]}.__getitem__)("pet")
    assert pet.fullmatch("my cat")
    assert pet.fullmatch("my d.g")
    assert not pet.fullmatch("my dog")


def test_a_name_that_does_not_exist_is_an_error() -> None:
    with pytest.raises(KeyError, match="animal"):
        Patterns(PATTERNS)("pet")


def test_a_text_may_name_the_patterns() -> None:
    only_lower_case = Patterns(PATTERNS).compiled("no <drink>")
    assert only_lower_case.fullmatch("no coffee")
    assert not only_lower_case.fullmatch("No coffee")


def test_a_data_file_is_in_its_package() -> None:
    assert "quotation" in data_file("server.memories.add", "others_text")
