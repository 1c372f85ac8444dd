"""Reading conversations, and counting what a search found of the evidence."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from benchmarks.conversations import read_conversations
from benchmarks.retrieval import Outcome, mean_recall, recall_at

CONVERSATION = {
    "id": "c1",
    "messages": [
        {"id": 0, "role": "user", "content": "I sail.", "time": "May-02-2026"},
        {"id": 1, "role": "assistant", "content": None},
        {"id": 2, "role": "user", "content": "I\0 sail."},
    ],
    "questions": [
        {"question": "What do I do?", "category": "facts", "evidence": [0, 2]},
        {"question": "Who am I?", "category": "facts", "evidence": []},
    ],
}


@pytest.mark.parametrize("name", ["conversations.jsonl", "conversations.jsonl.gz"])
def test_a_file_is_read(tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    lines = "".join(json.dumps({**CONVERSATION, "id": f"c{n}"}) + "\n" for n in range(3)).encode()
    file.write_bytes(gzip.compress(lines) if name.endswith(".gz") else lines)
    first, second = read_conversations(file, limit=2)
    assert (first.id, second.id) == ("c0", "c1")
    assert [(m.id, m.content) for m in first.messages] == [("0", "I sail."), ("2", "I sail.")]
    assert first.ids_of["I sail."] == ["0", "2"]
    (question,) = first.questions
    assert (question.text, question.evidence) == ("What do I do?", ["0", "2"])


def test_recall_is_the_part_of_the_evidence_within_the_depth() -> None:
    ranks = {"a": 0, "b": 4, "c": 5}
    assert recall_at(5, ["a", "b", "c", "missing"], ranks) == 0.5
    assert recall_at(6, ["a", "b", "c", "missing"], ranks) == 0.75
    assert recall_at(5, ["missing"], ranks) == 0.0


def test_recall_is_averaged_over_questions_at_each_depth() -> None:
    outcomes = [Outcome("x", [1.0, 1.0], 1.0), Outcome("x", [0.0, 0.5], 1.0)]
    assert mean_recall(outcomes) == ["0.500", "0.750"]
