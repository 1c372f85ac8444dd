"""Plain word search ranks messages by rare words, repetitions and lengths."""

from __future__ import annotations

import pytest

from benchmarks.bm25 import WordIndex, recalls
from benchmarks.conversations import Conversation, Message, Question


def test_the_score_is_that_of_okapi_bm25() -> None:
    index = WordIndex(["a boat", "a boat in the rain", "tea"])
    # ln(1 + 1.5 / 2.5) * 2.2 / (1 + 1.2 * (.25 + .75 * length / (8 / 3))), for lengths of 2 and 5
    assert index.scores("Boat?") == pytest.approx([0.5235, 0.3461, 0.0], abs=1e-4)


def test_recall_counts_the_evidence_among_the_best_messages() -> None:
    texts = ["nothing to see", *(f"a boat {number}" for number in range(6)), "the red boat"]
    messages = [Message(str(number), "user", text) for number, text in enumerate(texts)]
    question = Question("Which boat is red?", "plain", ["7", "0"])
    [recall] = recalls(Conversation("one", messages, [question], {}))
    assert recall == [0.5, 1.0, 1.0, 1.0]
