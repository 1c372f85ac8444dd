"""The texts of messages that are compared with memories."""

from __future__ import annotations

from server.memories.conversation import Message, Role
from server.memories.passages import MOST_PARTS, compared_texts

TALK = "Hello there! I moved to Porto. My dog Rex is fine."


def user(text: str, name: str | None = None) -> Message:
    return Message(Role.USER, text, name)


def test_messages_are_compared_as_a_whole() -> None:
    messages = [Message(Role.SYSTEM, "Be kind.", None), user(TALK, "Ann"), user("Bye.")]
    assert compared_texts(messages, by_sentence=False) == [f"Ann: {TALK}", "Bye."]


def test_messages_are_compared_by_sentences_each_with_its_speaker() -> None:
    assert compared_texts([user(TALK, "Ann"), user("Bye.")], by_sentence=True) == [
        "Ann: Hello there!",
        "Ann: I moved to Porto.",
        "Ann: My dog Rex is fine.",
        "Bye.",
    ]


def test_many_sentences_are_compared_in_groups() -> None:
    said = [f"Sentence number {number}." for number in range(20)]
    texts = compared_texts([user(" ".join(said))], by_sentence=True)
    assert len(texts) == MOST_PARTS
    assert " ".join(texts) == " ".join(said)


def test_many_messages_are_compared_as_a_whole() -> None:
    assert compared_texts([user(TALK)] * MOST_PARTS, by_sentence=True) == [TALK] * MOST_PARTS


def test_a_message_without_words_is_compared_too() -> None:
    assert compared_texts([user(""), user(" \n ")], by_sentence=True) == ["", " \n "]
