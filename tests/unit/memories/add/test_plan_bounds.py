"""Limits on the changes of one answer, and requests to forget."""

from __future__ import annotations

import pytest

from server.core.errors import ExtractionFailed
from server.memories.add.proposals import NoticeReason
from tests.support.plans import assistant, held, planned, proposed, texts_of, user

SAID = "None of that is true any more. I like tea."
HELD = held(*(f"Fact number {n}" for n in range(8)))
FORGET = "Forget that I live in Oslo."


@pytest.mark.parametrize("action", ["UPDATE", "DELETE", "FORGET"])
def test_memories_are_changed_up_to_the_limit(action: str) -> None:
    proposals = [proposed(action, SAID, f"New fact {n}", target=n) for n in range(1, 6)]
    result = planned([user(SAID)], proposals, HELD)
    assert len(result.changes) == 5
    assert result.notices == ()


@pytest.mark.parametrize("action", ["UPDATE", "DELETE", "FORGET"])
def test_beyond_the_limit_no_memory_is_changed_and_new_facts_are_kept(action: str) -> None:
    proposals = [proposed(action, SAID, f"New fact {n}", target=n) for n in range(1, 7)]
    tea = proposed("ADD", "I like tea", "User likes tea")
    result = planned([user(f"{SAID} I like tea, really.")], [*proposals, tea], HELD)
    if action == "FORGET":
        # The model takes the whole text for one request to forget, which changes nothing.
        assert texts_of(result) == []
    else:
        assert texts_of(result) == ["ADD User likes tea"]
    assert NoticeReason.DELETIONS_LIMIT in [notice.reason for notice in result.notices]
    assert any("6 updates and deletions" in notice.text for notice in result.notices)


def test_updates_and_deletions_count_together_if_they_change_something() -> None:
    proposals = [
        proposed("DELETE", SAID, target=1),
        proposed("DELETE", SAID, target=1),
        proposed("UPDATE", SAID, "Another fact", target=2),
        proposed("UPDATE", SAID, HELD[2].text, target=3),
    ]
    assert len(planned([user(SAID)], proposals, HELD, max_deletions=2).changes) == 2
    assert planned([user(SAID)], proposals, HELD, max_deletions=1).changes == ()


def test_a_fact_of_a_dropped_update_is_added_if_it_is_also_proposed_alone() -> None:
    proposals = [
        proposed("UPDATE", SAID, "User likes tea", target=1),
        proposed("ADD", SAID, "User likes tea"),
    ]
    result = planned([user(SAID)], proposals, HELD, max_deletions=0)
    assert texts_of(result) == ["ADD User likes tea"]


# --- requests to forget ---------------------------------------------------------------------------


def test_a_request_to_forget_deletes_what_it_names_and_stores_nothing() -> None:
    oslo = held("User lives in Oslo", "User lives in a house in Oslo", "User likes tea")
    result = planned(
        [user(f"{FORGET} I play chess.")],
        [
            proposed("FORGET", FORGET, target=1),
            proposed("FORGET", FORGET, target=2),
            proposed("ADD", "that I live in Oslo", "User lived in Oslo"),
            proposed("UPDATE", FORGET, "User does not want Oslo remembered", target=3),
            proposed("ADD", "I play chess", "User plays chess"),
        ],
        oslo,
    )
    assert texts_of(result, oslo) == [
        "DELETE User lives in Oslo",
        "DELETE User lives in a house in Oslo",
        "ADD User plays chess",
    ]
    assert [passage.text for passage in result.forget_requests] == [FORGET]
    assert [notice.reason for notice in result.notices] == [NoticeReason.NO_EVIDENCE]


def test_a_request_to_forget_that_matches_nothing_has_a_notice() -> None:
    result = planned([user(FORGET)], [proposed("FORGET", FORGET)], held("User likes tea"))
    assert result.changes == ()
    [notice] = result.notices
    assert notice.reason is NoticeReason.FORGET_UNMATCHED
    assert "message 1 " in notice.text
    assert "Oslo" not in notice.text
    [passage] = result.forget_requests
    assert (passage.message_index, passage.start, passage.end) == (0, 0, len(FORGET))


def test_two_requests_to_forget_are_distinguished() -> None:
    content = "Forget my age. Forget my car. I like tea."
    proposals = [
        proposed("FORGET", "Forget my age", target=1),
        proposed("FORGET", "Forget my car"),
        proposed("FORGET", "Forget my car."),
    ]
    result = planned([user(content)], proposals, held("User is 30"))
    assert texts_of(result, held("User is 30")) == ["DELETE User is 30"]
    assert [notice.reason for notice in result.notices] == [NoticeReason.FORGET_UNMATCHED] * 2


def test_only_the_user_can_ask_to_forget() -> None:
    result = planned(
        [user("Hello there!"), assistant(FORGET)],
        [proposed("FORGET", FORGET, message=2), proposed("FORGET", FORGET, message=2, target=1)],
        held("User lives in Oslo"),
    )
    assert result.changes == ()
    assert result.forget_requests == ()
    assert [notice.reason for notice in result.notices] == [NoticeReason.NOT_PERMITTED]


def test_immutable_memories_are_not_forgotten_and_a_notice_says_so() -> None:
    fixed = held("User lives in Oslo", immutable=True)
    result = planned([user(FORGET)], [proposed("FORGET", FORGET, target=1)], fixed)
    assert result.changes == ()
    assert [notice.reason for notice in result.notices] == [NoticeReason.IMMUTABLE]


def test_a_request_to_forget_an_unknown_candidate_is_unusable() -> None:
    with pytest.raises(ExtractionFailed) as caught:
        planned([user(FORGET)], [proposed("FORGET", FORGET, target=7)])
    assert caught.value.problems == ("operation 1: there is no candidate 7",)


def test_excludes_do_not_protect_from_a_request_to_forget() -> None:
    result = planned(
        [user(FORGET)],
        [proposed("FORGET", FORGET, target=1)],
        held("User lives in Oslo"),
        excludes="Oslo",
    )
    assert texts_of(result, held("User lives in Oslo")) == ["DELETE User lives in Oslo"]


@pytest.mark.parametrize(("includes", "excludes"), [("only food", None), (None, "travel")])
def test_facts_dropped_by_includes_and_excludes_have_a_notice(
    includes: str | None, excludes: str | None
) -> None:
    result = planned(
        [user("I went to Rome. I went to Oslo. I love pasta.")],
        [
            proposed("ADD", "I went to Rome", "User went to Rome", categories=["travel"]),
            proposed("ADD", "I went to Oslo", "User went to Oslo", categories=["travel"]),
            proposed("ADD", "I love pasta", "User loves pasta", categories=["food"]),
        ],
        includes=includes,
        excludes=excludes,
    )
    assert texts_of(result) == ["ADD User loves pasta"]
    [notice] = result.notices
    assert notice.reason is NoticeReason.FILTERED
    assert notice.text.startswith("2 changes were left out")
