"""Measures how well plain word search finds the evidence of questions about long conversations.

    python -m benchmarks.bm25 FILE

It is the yardstick for `benchmarks.retrieval`: the same files and the same recall, but messages are
ranked by Okapi BM25 over their words as they are, without a server. The more it finds in a
conversation, the easier that conversation is.
"""

from __future__ import annotations

import argparse
import re
from collections import Counter
from collections.abc import Sequence
from math import log
from pathlib import Path
from statistics import fmean

from rich.console import Console
from rich.table import Table

from benchmarks.conversations import Conversation, read_conversations
from benchmarks.retrieval import DEPTHS, recall_at

K1, B = 1.2, 0.75
"""The usual constants (Robertson and Zaragoza, The Probabilistic Relevance Framework, 2009)."""


class WordIndex:
    """The words of the messages of a conversation."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._counts = [Counter(words(text)) for text in texts]
        self._lengths = [count.total() for count in self._counts]
        self._mean_length = fmean(self._lengths)
        self._containing = Counter(word for count in self._counts for word in count)

    def scores(self, query: str) -> list[float]:
        """Returns the BM25 score of each message."""
        asked = set(words(query))
        return [sum(self._gain(word, number) for word in asked) for number in self._numbers]

    @property
    def _numbers(self) -> range:
        return range(len(self._counts))

    def _gain(self, word: str, number: int) -> float:
        often, containing = self._counts[number][word], self._containing[word]
        rarity = log(1 + (len(self._counts) - containing + 0.5) / (containing + 0.5))
        damping = K1 * (1 - B + B * self._lengths[number] / self._mean_length)
        return rarity * often * (K1 + 1) / (often + damping)


def words(text: str) -> list[str]:
    """Returns the words of a text in lower case."""
    return re.findall(r"\w+", text.lower())


def recalls(conversation: Conversation) -> list[list[float]]:
    """Returns the recall at each depth, for each question."""
    index = WordIndex([message.content for message in conversation.messages])
    found = []
    for question in conversation.questions:
        scores = index.scores(question.text)
        order = sorted(range(len(scores)), key=lambda number: -scores[number])
        ranks = {conversation.messages[number].id: rank for rank, number in enumerate(order)}
        found.append([recall_at(depth, question.evidence, ranks) for depth in DEPTHS])
    return found


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bm25", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("file", type=Path, help="conversations with questions")
    table = Table("conversation", "questions", *(f"recall@{depth}" for depth in DEPTHS))
    everything = []
    for conversation in read_conversations(parser.parse_args().file):
        found = recalls(conversation)
        everything += found
        table.add_row(conversation.id, str(len(found)), *_means(found))
    table.add_row("all", str(len(everything)), *_means(everything))
    Console().print(table)


def _means(found: Sequence[Sequence[float]]) -> list[str]:
    return [f"{fmean(column):.3f}" for column in zip(*found, strict=True)]


if __name__ == "__main__":
    main()
