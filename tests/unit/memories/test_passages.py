"""Which sentences of a message become passages."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.memories.conversation import Role
from server.memories.passages import (
    MAX_PART_LENGTH,
    Coverage,
    Span,
    left_over,
    parts_of,
    passage_digest,
    spans_of,
)

TEXT = "I moved to Lisbon. It rains here! Do you like tea?\nMe too."
TEXTS = st.text(alphabet="ab .!?\n\u3002\"' \u2026", max_size=200)


def left(text: str, *covered: str) -> list[str]:
    [part] = parts_of(text)
    return list(left_over(text, part, Coverage(spans_of(text, covered))))


def test_sentences_that_are_not_evidence_are_kept() -> None:
    assert left(TEXT) == ["I moved to Lisbon. ", "It rains here! ", "Do you like tea?\n", "Me too."]
    assert left(TEXT, "It rains here!") == ["I moved to Lisbon. ", "Do you like tea?\n", "Me too."]


def test_a_partly_quoted_sentence_is_not_kept() -> None:
    assert left("I moved to Lisbon and I like tea. It rains.", "I like tea") == ["It rains."]


def test_a_quote_across_sentences_covers_all_of_them() -> None:
    assert left(TEXT, "Lisbon. It rains") == ["Do you like tea?\n", "Me too."]


def test_a_quote_covers_all_its_occurrences() -> None:
    assert left("I like tea. It rains. I like tea.", "I like tea") == ["It rains. "]


def test_white_space_after_a_sentence_is_not_part_of_a_quote() -> None:
    assert left("One.   Two.", "Two.") == ["One.   "]
    [part] = parts_of("One.   Two.")
    assert list(left_over("One.   Two.", part, Coverage([Span(4, 5)]))) == ["One.   ", "Two."]


def test_sentences_without_content_are_not_kept() -> None:
    assert left("---\nI like tea.\n***", "I like tea.") == []


@pytest.mark.parametrize(
    "courtesy", ["Hi!", "Thanks a lot!", "ok", "Guten Morgen!", "\u8c22\u8c22\u3002", "\u00a1Hola!"]
)
def test_courtesies_are_not_kept(courtesy: str) -> None:
    assert left(courtesy) == []
    assert left(f"{courtesy}\nIt rains.") == ["It rains."]


def test_an_abbreviation_ends_no_sentence() -> None:
    assert left("I saw Dr. Smith in St. Louis. I ski.") == [
        "I saw Dr. Smith in St. Louis. ",
        "I ski.",
    ]


def test_scripts_without_spaces_have_sentences_too() -> None:
    assert left("\u6211\u559c\u6b22\u8336\u3002\u4e0b\u96e8\u4e86\u3002", "\u559c\u6b22\u8336") == [
        "\u4e0b\u96e8\u4e86\u3002"
    ]


@given(TEXTS)
def test_parts_and_sentences_make_up_the_text(text: str) -> None:
    parts = parts_of(text)
    assert "".join(text[part.start : part.end] for part in parts) == text
    sentences = "".join("".join(left_over(text, part, Coverage(()))) for part in parts)
    assert [c for c in sentences if c.isalnum()] == [c for c in text if c.isalnum()]


@given(TEXTS, st.data())
def test_no_quoted_sentence_is_kept(text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    marked = text[:start] + text[start:end].replace("a", "X").replace("b", "X") + text[end:]
    for part in parts_of(marked):
        assert "X" not in "".join(left_over(marked, part, Coverage([Span(start, end)])))


def test_long_texts_are_split_between_sentences() -> None:
    text = "A sentence of some words. " * 1000
    parts = parts_of(text)
    assert len(parts) == 4
    assert max(part.end - part.start for part in parts) <= MAX_PART_LENGTH
    assert all(text[part.end - 2 : part.end] == ". " for part in parts)


def test_a_sentence_that_is_too_long_is_split() -> None:
    parts = parts_of("x" * (MAX_PART_LENGTH * 2 + 1))
    assert [part.end - part.start for part in parts] == [MAX_PART_LENGTH, MAX_PART_LENGTH, 1]


@pytest.mark.parametrize("text", ["a" * 200_000, ". " * 100_000, "\n" * 200_000, '!"' * 100_000])
def test_the_time_is_not_quadratic(text: str) -> None:
    start = time.process_time()
    covered = Coverage(Span(place, place + 1) for place in range(0, 200_000, 7))
    for part in parts_of(text):
        left_over(text, part, covered)
    assert time.process_time() - start < 2


def test_messages_are_the_same_if_speaker_text_and_part_are() -> None:
    digests = {
        passage_digest(Role.USER, None, "tea", 0),
        passage_digest(Role.USER, "Ann", "tea", 0),
        passage_digest(Role.ASSISTANT, None, "tea", 0),
        passage_digest(Role.USER, None, "Tea", 0),
        passage_digest(Role.USER, None, "tea", 1),
    }
    assert len(digests) == 5
