"""Which questions ask for wishes too."""

from __future__ import annotations

import pytest

from server.memories.search.question_clues import with_preference_words


@pytest.mark.parametrize(
    "question",
    [
        "What film would you suggest?",
        "How do I calculate the odds?",
        "Where do you think I should work on my essay?",
        "I need new shoes. Any ideas?",
    ],
)
def test_questions_for_help_also_look_for_preferences(question: str) -> None:
    assert with_preference_words(question) == f"{question} always prefer"


@pytest.mark.parametrize(
    "question",
    [
        "What film did you suggest?",
        "Can you tell me which car I bought?",
        "Can you list the films that I mentioned?",
        "Could you summarize my plans?",
        "Which library had you suggested to me?",
        "How does Bob travel to work?",
        "Wie alt ist Anna?",
    ],
)
def test_other_questions_keep_their_words(question: str) -> None:
    assert with_preference_words(question) == question
