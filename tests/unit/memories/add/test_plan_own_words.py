"""Text that a message quotes, forwards or hands over for work is not evidence."""

from __future__ import annotations

import pytest

from server.memories.add.proposals import NoticeReason
from tests.support.plans import assistant, held, planned, proposed, texts_of, user

MAIL = "My client wrote:\n> I live in Boston and I hate meetings.\nI will call him."
CODE = "```\n# I live in Boston\n```\nWhy does this fail? I use Python."
CHAT = "Lea: I live in Boston\nMax: I am a butcher"
RECALLED = "Relevant memories:\n- I live in Boston\n\nWhat should I cook tonight?"
SUMMARIZE = "Summarize this text: I am Jon. I live in Boston and I work at Tesco."
TRANSLATE = 'Translate to German: "I live in Boston and I am allergic to nuts."'
NEIGHBOUR = 'My neighbour said "I live in Boston".'


@pytest.mark.parametrize(
    "said", [MAIL, CODE, CHAT, RECALLED, SUMMARIZE, TRANSLATE, NEIGHBOUR], ids=lambda s: s[:9]
)
@pytest.mark.parametrize("action", ["ADD", "UPDATE", "DELETE", "FORGET"])
def test_text_of_others_is_not_evidence(said: str, action: str) -> None:
    proposal = proposed(action, "I live in Boston", "User lives in Boston", target=1)
    result = planned([user(said)], [proposal], held("User lives in Tampa"))
    assert result.changes == ()
    assert result.forget_requests == ()
    assert NoticeReason.NOT_OWN_TEXT in [notice.reason for notice in result.notices]


@pytest.mark.parametrize("action", ["UPDATE", "DELETE"])
def test_proposals_from_text_of_others_change_nothing(action: str) -> None:
    for said in (NEIGHBOUR, MAIL):
        proposal = proposed(action, said, "User lives in Boston", target=1)
        result = planned([user(said)], [proposal], held("User lives in Tampa"))
        assert result.changes == ()


def test_a_title_in_quotation_marks_can_be_remembered_and_forgotten() -> None:
    film = 'My favourite film is "I Am Legend".'
    result = planned([user(film)], [proposed("ADD", film, "User's favourite film is I Am Legend")])
    assert texts_of(result) == ["ADD User's favourite film is I Am Legend"]
    assert result.notices == ()
    forget = 'Forget that I like "I Am Legend".'
    result = planned([user(forget)], [proposed("FORGET", forget, target=1)], held("User likes it"))
    assert texts_of(result, held("User likes it")) == ["DELETE User likes it"]


@pytest.mark.parametrize("quote", ['"I Am Legend"', 'said "I Am Legend"', "I Am Legend"])
def test_a_quotation_without_a_clause_around_it_is_not_evidence(quote: str) -> None:
    result = planned([user('Tom said "I Am Legend".')], [proposed("ADD", quote, "User is Legend")])
    assert result.changes == ()


def test_the_speakers_own_words_beside_a_quotation_count() -> None:
    result = planned(
        [user(MAIL), user(CODE)],
        [
            proposed("ADD", "I will call him", "User will call the client"),
            proposed("UPDATE", "I use Python", "User uses Python", message=2, target=1),
        ],
        held("User uses Rust"),
    )
    assert len(result.changes) == 2
    [notice] = result.notices
    assert notice.reason is NoticeReason.NOT_OWN_TEXT
    assert "quoted mail in 1 message, code in 1 message" in notice.text


def test_a_clause_that_is_both_stated_and_quoted_counts_as_stated() -> None:
    content = "> I live in Boston\n\nYes, I live in Boston."
    result = planned(
        [user(content)],
        [proposed("UPDATE", "I live in Boston", "User lives in Boston", target=1)],
        held("User lives in Tampa"),
    )
    assert texts_of(result, held("User lives in Tampa")) == [
        "UPDATE User lives in Tampa -> User lives in Boston"
    ]


def test_text_of_others_has_a_notice_even_without_proposals() -> None:
    assert [n.reason for n in planned([user(CHAT)], []).notices] == [NoticeReason.NOT_OWN_TEXT]
    assert planned([assistant(CODE), user("I use Python.")], []).notices == ()
