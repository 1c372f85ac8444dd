"""Which messages have content."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.memories.conversation import Message, Role, with_content, without_nul

messages = st.lists(
    st.builds(
        Message,
        role=st.sampled_from(Role),
        content=st.none() | st.text(" \0\tab") | st.text(),
        name=st.none() | st.text("\0a"),
    )
)


@given(st.text("\0ab") | st.text())
def test_only_nul_characters_are_dropped(text: str) -> None:
    assert without_nul(text) == "".join(c for c in text if c != "\0")


@given(messages)
def test_spoken_messages_have_content_and_no_nul(said: list[Message]) -> None:
    for message in with_content(said):
        assert message.content
        assert message.content.strip()
        assert "\0" not in message.content
        assert message.name != ""
        assert "\0" not in (message.name or "")


@given(messages)
def test_selecting_spoken_messages_twice_changes_nothing(said: list[Message]) -> None:
    once = with_content(said)
    assert with_content(once) == once


@pytest.mark.parametrize("content", [None, "", " \n\t", "\0", " \0 "])
def test_a_message_without_content_is_skipped(content: str | None) -> None:
    kept = Message(Role.ASSISTANT, "Noted.", "Bot")
    assert with_content([Message(Role.USER, content), kept]) == [kept]


def test_white_space_around_words_is_kept() -> None:
    message = Message(Role.USER, "  two\n lines ")
    assert with_content([message]) == [message]
