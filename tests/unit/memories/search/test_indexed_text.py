"""What is embedded of a text."""

from __future__ import annotations

import pytest

from server.memories.memory import embedded_text


def test_the_speaker_stands_before_the_text() -> None:
    assert embedded_text("I bought a kayak.", "Caroline") == "Caroline: I bought a kayak."


@pytest.mark.parametrize("speaker", [None, ""])
def test_a_text_of_nobody_stays_as_it_is(speaker: str | None) -> None:
    assert embedded_text("I bought a kayak.", speaker) == "I bought a kayak."


def test_a_speaker_who_is_named_in_the_text_is_not_named_twice() -> None:
    assert embedded_text("It's CAROLINE again.", "Caroline") == "It's CAROLINE again."
