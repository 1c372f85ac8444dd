"""Recognizing small talk, which becomes no memory and no passage."""

from __future__ import annotations

import pytest

from server.memories.conversation import is_small_talk


@pytest.mark.parametrize(
    "said",
    ["Hi!", "Thanks a lot!", "ok", "Good morning, everyone.", "Thank you very much", "\u00a1Hola!",
     "Vielen Dank!", "\u8c22\u8c22", "...", ""],
)  # fmt: skip
def test_courtesies_are_small_talk(said: str) -> None:
    assert is_small_talk(said)


@pytest.mark.parametrize("said", ["No.", "Hi Tom!", "A lot of it.", "Good tea.", "You too", "42"])
def test_messages_with_content_are_not_small_talk(said: str) -> None:
    assert not is_small_talk(said)
