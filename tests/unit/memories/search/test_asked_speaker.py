"""Whose words a question asks about."""

from __future__ import annotations

import pytest

from server.memories.conversation import Role
from server.memories.search.question_clues import Speaker, speakers_asked

USER: Speaker = (Role.USER, None)
ASSISTANT: Speaker = (Role.ASSISTANT, None)
ANN: Speaker = (Role.USER, "Ann Lee")
BOB: Speaker = (Role.USER, "Bob")
CHAT = (USER, ASSISTANT)
TWO = (ANN, BOB)


@pytest.mark.parametrize(
    "question",
    [
        "When does my first sprint end?",
        "What did I say about the boat?",
        "Can you tell me which car I bought?",
        "Would you suggest a film that I might like?",
        "In which order have I mentioned my cars in our chats?",
        "Summarize what I said about the boat.",
    ],
)
def test_the_first_person_refers_to_the_user(question: str) -> None:
    assert speakers_asked(question, CHAT) == frozenset({USER})


@pytest.mark.parametrize(
    "question",
    [
        "What did you recommend for my knee?",
        "Which library had you suggested to me?",
        "What was your advice on my essay?",
        "Repeat what you\u2019ve told me about tax.",
    ],
)
def test_what_you_said_refers_to_the_assistant(question: str) -> None:
    assert speakers_asked(question, CHAT) == frozenset({ASSISTANT})


@pytest.mark.parametrize(
    ("question", "asked"),
    [
        ("What did Ann paint?", {ANN}),
        ("what does ann lee do", {ANN}),
        ("Where did Bob's sister move?", {BOB}),
        ("When did I meet Bob?", {BOB}),
    ],
)
def test_names_refer_to_their_speakers(question: str, asked: set[Speaker]) -> None:
    assert speakers_asked(question, TWO) == frozenset(asked)


@pytest.mark.parametrize(
    ("question", "speakers"),
    [
        ("Which boats are green?", CHAT),
        ("Where did Ann meet Bob?", TWO),
        ("Summarize how my boat was built.", CHAT),
        ("Remind me which boat we talked about.", CHAT),
        ("Which film was it in our last conversation?", CHAT),
        ("What is an annual report?", TWO),
        ("Who is Carol?", TWO),
        ("What did you recommend?", (USER,)),
        ("What did I say?", (USER,)),
        ("What did I say?", ()),
    ],
)
def test_other_questions_refer_to_no_speaker(question: str, speakers: tuple[Speaker, ...]) -> None:
    assert speakers_asked(question, speakers) is None
