"""When two memories of a scope, or two states of a memory, are the same."""

from __future__ import annotations

import unicodedata
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.core.clock import new_id
from server.memories.conversation import Role
from server.memories.memory import etag_of, fact_digest, today, verbatim_digest
from tests.support.builders import NOW, addition, call

Spoken = tuple[Role, str, str]
names = st.text("ab:1", max_size=3)
spoken = st.tuples(st.sampled_from(Role), names, names | st.text())


@given(spoken, spoken)
def test_verbatim_memories_are_the_same_by_speaker_and_text(one: Spoken, other: Spoken) -> None:
    composed = [
        (role, *(unicodedata.normalize("NFC", text) for text in rest))
        for role, *rest in (one, other)
    ]
    assert (verbatim_digest(*one) == verbatim_digest(*other)) == (composed[0] == composed[1])


def test_name_and_text_are_separated_in_the_digest() -> None:
    digests = {
        verbatim_digest(Role.USER, "ab", "c"),
        verbatim_digest(Role.USER, "a", "bc"),
        verbatim_digest(Role.USER, "", "abc"),
    }
    assert len(digests) == 3


def test_verbatim_memories_are_the_same_only_if_all_letters_are_equal() -> None:
    texts = ["I like tea", "I like tea ", "I like Tea", "I like tea."]
    assert len({verbatim_digest(Role.USER, None, text) for text in texts}) == 4


def test_composed_and_decomposed_letters_are_the_same_and_other_characters_are_not() -> None:
    composed, decomposed = "M\u00e1laga", "Ma\u0301laga"
    assert fact_digest(f"lives in {composed}") == fact_digest(f"Lives in {decomposed}")
    spoken = [verbatim_digest(Role.USER, text, text) for text in (composed, decomposed, "Malaga")]
    assert spoken[0] == spoken[1] != spoken[2]
    assert fact_digest("10\u2075 steps") != fact_digest("105 steps")
    assert fact_digest("\u1e9e\u0345 x") == fact_digest("ss\u03b9 x")


def test_no_name_and_an_empty_name_are_the_same_speaker() -> None:
    assert verbatim_digest(Role.USER, None, "x") == verbatim_digest(Role.USER, "", "x")


@pytest.mark.parametrize(
    "same", ["alice likes tea", "Alice  likes\ttea.", "ALICE LIKES TEA...", " Alice likes tea "]
)
def test_facts_are_the_same_despite_case_spaces_and_full_stops(same: str) -> None:
    assert fact_digest(same) == fact_digest("Alice likes tea")


def test_facts_with_other_words_or_letters_differ() -> None:
    facts = ["Alice likes tea", "Alice likes teas", "Alicelikes tea", "Alice like stea", ""]
    assert len({fact_digest(fact) for fact in facts}) == 5


def test_a_fact_is_never_the_same_as_a_verbatim_memory() -> None:
    assert fact_digest("tea") != verbatim_digest(Role.USER, None, "tea")


def test_an_etag_changes_with_the_version_and_the_memory() -> None:
    memory = addition(call(), "Alice likes tea").memory
    etags = {
        memory.etag,
        replace(memory, version=2).etag,
        replace(memory, version=11).etag,
        replace(memory, id=new_id(NOW)).etag,
    }
    assert len(etags) == 4
    assert memory.etag == etag_of(memory.id, memory.version)


@pytest.mark.parametrize("hours", [-12, 0, 14])
def test_the_day_of_expiration_is_the_one_in_utc(hours: int) -> None:
    zone = timezone(timedelta(hours=hours))
    just_before = datetime(2026, 11, 23, 23, 59, 59, tzinfo=UTC)
    assert today(just_before.astimezone(zone)) == date(2026, 11, 23)
    assert today((just_before + timedelta(seconds=1)).astimezone(zone)) == date(2026, 11, 24)
