"""Finding aliases in sentences."""

from __future__ import annotations

import pytest

from server.models.offline.relations import find_aliases


@pytest.mark.parametrize(
    ("text", "name", "alias"),
    [
        ("Robert Smith, known as Bob, likes tea.", "robert smith", "Bob"),
        ("Robert Smith is also known as Bob.", "robert smith", "Bob"),
        ("Elizabeth Jones goes by Liz.", "elizabeth jones", "Liz"),
        ("User's brother Tom lives in Oslo.", "tom", "User's brother"),
        ("User's older sister is called Anna.", "anna", "User's older sister"),
        ("User's wife, Maria, likes tea.", "maria", "User's wife"),
    ],
)  # fmt: skip
def test_an_alias_is_found(text: str, name: str, alias: str) -> None:
    assert find_aliases(text) == {name: (alias,)}


def test_an_entity_has_several_aliases() -> None:
    text = "Robert Smith is also known as Bob. Robert Smith goes by Rob."
    assert find_aliases(text) == {"robert smith": ("Bob", "Rob")}


def test_the_longer_name_is_the_own_one() -> None:
    assert find_aliases("Bob is also known as Robert Smith.") == {"robert smith": ("Bob",)}


@pytest.mark.parametrize(
    "text",
    [
        "User moved to Paris (France).",
        "Anna (Oslo) likes tea.",
        "User's friend Tom lives in Oslo.",
        "User's brothers Tom and Tim live in Oslo.",
        "User's brother Tom and Tim live in Oslo.",
        "User's brother Tom Smith and Tim live in Oslo.",
        "User's brother likes tea.",
        "The film is known as a classic.",
        "Robert Smith likes Bob.",
    ],
)
def test_other_names_are_not_found_as_aliases(text: str) -> None:
    assert find_aliases(text) == {}
