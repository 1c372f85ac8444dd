"""The text that is embedded."""

from __future__ import annotations

import pytest

from server.memories.memory import embedded_text


def test_the_speaker_precedes_the_text() -> None:
    assert embedded_text("I bought a kayak.", "Caroline") == "Caroline: I bought a kayak."


@pytest.mark.parametrize("speaker", [None, ""])
def test_a_text_without_a_speaker_is_unchanged(speaker: str | None) -> None:
    assert embedded_text("I bought a kayak.", speaker) == "I bought a kayak."


def test_a_speaker_who_is_named_in_the_text_is_not_named_twice() -> None:
    assert embedded_text("It's CAROLINE again.", "Caroline") == "It's CAROLINE again."
