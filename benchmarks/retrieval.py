"""Measures how well searches find the evidence of questions about long conversations.

    python -m benchmarks.retrieval FILE [--infer] [--limit-conversations N] [--address A --key K]

FILE holds one conversation per line, as JSON, gzipped if its name ends in `.gz`: `id`, `messages`
with `id`, `role` and `content` and optionally `name` and `time`, and `questions` with `question`,
`category` and `evidence`, the ids of the messages that answer it. Each conversation becomes one
user, each message is added, verbatim or (`--infer`) with inference, and each question is searched,
as if asked at the time of the last message.
Evidence recall at k is the share of a question's evidence among the first k hits, averaged over the
questions; an inferred memory counts as the messages that it quotes as its evidence, a passage as
its message. Without an address it starts its own server on an empty database, with the offline
models.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import time
import uuid
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from statistics import fmean, quantiles

import grpc
import uvloop
from memoir.v1 import memory_pb2, memory_service_pb2, memory_service_pb2_grpc
from rich.console import Console
from rich.progress import Progress, TaskID
from rich.table import Table

from benchmarks.conversations import Conversation, Message, Question, read_conversations
from benchmarks.running import running_server
from server.api.grpc.convert.values import to_timestamp

DEPTHS = (5, 10, 20, 50)
CONVERSATIONS_AT_ONCE = 4
MESSAGES_PER_ADD = 20
INFERRED_PER_ADD = 4


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of one question: the recall at each depth, and the latency of the search in ms."""

    category: str
    recall: Sequence[float]
    milliseconds: float


class Measurement:
    """Sends conversations to a server, several at a time."""

    def __init__(
        self, channel: grpc.aio.Channel, key: str, progress: Progress, *, infer: bool = False
    ) -> None:
        self._stub = memory_service_pb2_grpc.MemoryServiceStub(channel)
        self._metadata = (("authorization", f"Token {key}"),)
        self._progress = progress
        self._infer = infer
        # Each run has new users, so that no run finds memories of an earlier one.
        self._run = uuid.uuid4().hex[:8]

    async def run(self, conversations: Sequence[Conversation], callers: int) -> list[Outcome]:
        """Adds all messages, then searches every question."""
        await self._add_all(conversations)
        questions = [(c, question) for c in conversations for question in c.questions]
        task = self._progress.add_task("searching", total=len(questions))
        waiting = iter(questions)
        outcomes: list[Outcome] = []

        async def caller() -> None:
            for conversation, question in waiting:
                outcomes.append(await self._ask(conversation, question))
                self._progress.advance(task)

        await asyncio.gather(*(caller() for _ in range(callers)))
        return outcomes

    async def _add_all(self, conversations: Sequence[Conversation]) -> None:
        task = self._progress.add_task("adding", total=sum(len(c.messages) for c in conversations))
        waiting = iter(conversations)

        async def caller() -> None:
            for conversation in waiting:
                await self._add(conversation, task)

        await asyncio.gather(*(caller() for _ in range(CONVERSATIONS_AT_ONCE)))

    async def _add(self, conversation: Conversation, task: TaskID) -> None:
        for said_at, batch in batches(
            conversation.messages, INFERRED_PER_ADD if self._infer else MESSAGES_PER_ADD
        ):
            await self._stub.AddMemories(
                memory_service_pb2.AddMemoriesRequest(
                    user_id=self._user(conversation),
                    infer=self._infer,
                    output_format="v1.1",
                    timestamp=None if said_at is None else int(said_at.timestamp()),
                    messages=[
                        memory_pb2.Message(role=m.role, content=m.content, name=m.name)
                        for m in batch
                    ],
                ),
                metadata=self._metadata,
            )
            self._progress.advance(task, len(batch))

    async def _ask(self, conversation: Conversation, question: Question) -> Outcome:
        asked_at = conversation.messages[-1].time
        start = time.perf_counter()
        response = await self._stub.SearchMemories(
            memory_service_pb2.SearchMemoriesRequest(
                user_id=self._user(conversation),
                query=question.text,
                top_k=max(DEPTHS),
                reference_time=None if asked_at is None else to_timestamp(asked_at),
            ),
            metadata=self._metadata,
        )
        milliseconds = (time.perf_counter() - start) * 1000
        ranks: dict[str, int] = {}
        for rank, result in enumerate(response.results):
            for message_id in sources_of(conversation, result):
                ranks.setdefault(message_id, rank)
        recall = [recall_at(depth, question.evidence, ranks) for depth in DEPTHS]
        return Outcome(question.category, recall, milliseconds)

    def _user(self, conversation: Conversation) -> str:
        return f"{conversation.id}-{self._run}"


def batches(
    messages: Sequence[Message], size: int
) -> Iterator[tuple[datetime | None, list[Message]]]:
    """Yields calls of at most `size` messages, each with the common time of its messages."""
    for said_at, group in groupby(messages, key=attrgetter("time")):
        of_time = list(group)
        for start in range(0, len(of_time), size):
            yield said_at, of_time[start : start + size]


def sources_of(
    conversation: Conversation, result: memory_service_pb2.SearchMemoriesResult
) -> Iterable[str]:
    """Returns the ids of the messages for which a hit counts."""
    if result.HasField("passage"):
        return conversation.sources(result.passage.role, [longest_sentence(result.passage.text)])
    memory = result.memory
    quotes = [evidence.quote for evidence in memory.provenance.evidence if evidence.quote]
    if not quotes:
        # Several messages with the same text are one memory, which counts for all of them.
        return conversation.ids_of[memory.text]
    return conversation.sources(memory.role, quotes)


def longest_sentence(text: str) -> str:
    """Returns the longest sentence of a passage, because sentences around it may be left out."""
    return max(re.split(r"(?<=[.!?])\s+|\n", text), key=len)


def recall_at(depth: int, evidence: Sequence[str], ranks: Mapping[str, int]) -> float:
    """Returns the share of the evidence whose rank, from 0, is below `depth`."""
    return fmean(ranks.get(message_id, depth) < depth for message_id in evidence)


def print_report(outcomes: Sequence[Outcome]) -> None:
    """Prints the recall by category and in total, and the latency of the searches."""
    categories: dict[str, list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        categories[outcome.category].append(outcome)
    table = Table("category", "questions", *(f"recall@{depth}" for depth in DEPTHS))
    for category, found in sorted(categories.items()):
        table.add_row(category, str(len(found)), *mean_recall(found))
    table.add_section()
    table.add_row("all", str(len(outcomes)), *mean_recall(outcomes))
    console = Console()
    console.print(table)
    cuts = quantiles((outcome.milliseconds for outcome in outcomes), n=100)
    console.print(f"search latency: p50 {cuts[49]:.1f} ms, p95 {cuts[94]:.1f} ms")


def mean_recall(outcomes: Sequence[Outcome]) -> list[str]:
    """Returns the mean recall at each depth, as text."""
    return [f"{fmean(column):.3f}" for column in zip(*(o.recall for o in outcomes), strict=True)]


def parse_arguments(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Returns the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.retrieval", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("file", type=Path, help="the conversations")
    parser.add_argument("--infer", action="store_true", help="add with inference")
    parser.add_argument("--limit-conversations", type=int, help="use only the first N")
    parser.add_argument("--callers", type=int, default=1, help="searches at a time (default: 1)")
    parser.add_argument("--address", help="a server that runs already, with its --key")
    parser.add_argument("--key", default="", help="an API key of that server")
    return parser.parse_args(arguments)


async def main() -> None:
    """Measures and prints."""
    arguments = parse_arguments()
    conversations = read_conversations(arguments.file, arguments.limit_conversations)
    async with (
        running_server(arguments.address, arguments.key) as (address, key),
        grpc.aio.insecure_channel(address) as channel,
    ):
        with Progress() as progress:
            measurement = Measurement(channel, key, progress, infer=arguments.infer)
            outcomes = await measurement.run(conversations, arguments.callers)
    print_report(outcomes)


if __name__ == "__main__":
    uvloop.run(main())
