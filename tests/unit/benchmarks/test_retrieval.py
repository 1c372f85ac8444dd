"""Reading conversations, and measuring the recall of searches."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from memoir.v1 import memory_pb2, memory_service_pb2

from benchmarks.conversations import Conversation, Message, read_conversations
from benchmarks.retrieval import Outcome, batches, mean_recall, recall_at, sources_of

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
def test_a_file_of_conversations_is_read(tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    lines = "".join(json.dumps({**CONVERSATION, "id": f"c{n}"}) + "\n" for n in range(3)).encode()
    file.write_bytes(gzip.compress(lines) if name.endswith(".gz") else lines)
    first, second = read_conversations(file, limit=2)
    assert (first.id, second.id) == ("c0", "c1")
    assert [(m.id, m.content) for m in first.messages] == [("0", "I sail."), ("2", "I sail.")]
    assert first.ids_of["I sail."] == ["0", "2"]
    (question,) = first.questions
    assert (question.text, question.evidence) == ("What do I do?", ["0", "2"])


def test_recall_is_the_share_of_the_evidence_within_the_depth() -> None:
    ranks = {"a": 0, "b": 4, "c": 5}
    assert recall_at(5, ["a", "b", "c", "missing"], ranks) == 0.5
    assert recall_at(6, ["a", "b", "c", "missing"], ranks) == 0.75
    assert recall_at(5, ["missing"], ranks) == 0.0


def test_recall_is_averaged_over_questions_at_each_depth() -> None:
    outcomes = [Outcome("x", [1.0, 1.0], 1.0), Outcome("x", [0.0, 0.5], 1.0)]
    assert mean_recall(outcomes) == ["0.500", "0.750"]


def test_a_time_applies_until_the_next_one(tmp_path: Path) -> None:
    said = [
        {"id": 1, "role": "user", "content": "a", "time": "May-02-2026", "name": "Ana"},
        {"id": 2, "role": "user", "content": "b", "time": None},
        {"id": 3, "role": "user", "content": "c", "time": "2026-05-03T10:00:00+02:00"},
    ]
    file = tmp_path / "one.jsonl"
    file.write_text(json.dumps({"id": "c", "messages": said, "questions": []}))
    (conversation,) = read_conversations(file)

    day, later = datetime(2026, 5, 2, tzinfo=UTC), datetime(2026, 5, 3, 8, tzinfo=UTC)
    assert [message.time for message in conversation.messages] == [day, day, later]
    assert [message.name for message in conversation.messages] == ["Ana", None, None]
    assert [(at, [m.id for m in of]) for at, of in batches(conversation.messages, 1)] == [
        (day, ["1"]),
        (day, ["2"]),
        (later, ["3"]),
    ]


def test_an_inferred_memory_counts_for_the_messages_that_it_quotes() -> None:
    messages = [
        Message("1", "user", "I sail, and Bo sails."),
        Message("2", "assistant", "Bo sails"),
    ]
    conversation = Conversation("c", messages, [], {"Bo sails": ["2"]})
    evidence = [memory_pb2.Evidence(message_id="x", quote="Bo sails")]
    inferred = memory_pb2.Memory(
        text="Bo is a sailor", role="user", provenance=memory_pb2.Provenance(evidence=evidence)
    )
    verbatim = memory_pb2.Memory(text="Bo sails", role="assistant")

    found, said = (
        memory_service_pb2.SearchMemoriesResult(memory=memory) for memory in (inferred, verbatim)
    )
    assert set(sources_of(conversation, found)) == {"1"}
    assert set(sources_of(conversation, said)) == {"2"}


def test_a_passage_counts_for_its_message() -> None:
    messages = [
        Message("1", "user", "Hi. We sailed to Bo. I like it."),
        Message("2", "user", "Hi."),
    ]
    conversation = Conversation("c", messages, [], {})
    passage = memory_service_pb2.Passage(role="user", text="Hi. We sailed to Bo.")
    found = memory_service_pb2.SearchMemoriesResult(passage=passage)
    assert set(sources_of(conversation, found)) == {"1"}


@pytest.mark.parametrize("name", ["chats.jsonl", "multilingual.jsonl"])
def test_the_answer_to_an_invented_question_is_in_the_conversation(name: str) -> None:
    file = Path(__file__).parents[3] / "benchmarks" / name
    for conversation in read_conversations(file):
        said = {message.id for message in conversation.messages}
        assert conversation.questions
        assert all(set(question.evidence) <= said for question in conversation.questions)
