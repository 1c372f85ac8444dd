"""Rates the memories that a running server makes of short conversations.

    python -m benchmarks.understanding [FILE] --key KEY [--address 127.0.0.1:50051] [--show]

Each line of FILE is a conversation: its `kind`, its `turns` (each the messages of one call) and
regular expressions. Afterwards each of `must` has to match the text of a memory and `must_not`
none; `relations` a `source relation target` of the graph, and `relations_not` none. A conversation
is wrong if a forbidden pattern matches, otherwise missing if a required one does not, or right.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import grpc
from memoir.v1 import (
    graph_service_pb2,
    graph_service_pb2_grpc,
    memory_pb2,
    memory_service_pb2,
    memory_service_pb2_grpc,
)
from rich.console import Console
from rich.table import Table

CONVERSATIONS: Final = Path(__file__).with_suffix(".jsonl")
AT_ONCE: Final = 4
GRAPH_ATTEMPTS: Final = 20
GRAPH_WAIT_SECONDS: Final = 3.0
RIGHT, MISSING, WRONG = "right", "missing", "wrong"


@dataclass(frozen=True, slots=True)
class Turn:
    """A message of a conversation."""

    role: str
    content: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class Conversation:
    """A conversation, with the messages of each call, and the patterns of the expected result."""

    kind: str
    calls: tuple[tuple[Turn, ...], ...]
    must: tuple[str, ...]
    must_not: tuple[str, ...]
    relations: tuple[str, ...]
    relations_not: tuple[str, ...]

    def verdict(self, texts: Sequence[str], relations: Sequence[str]) -> tuple[str, list[str]]:
        """Returns the rating of memories and relations, and the patterns that failed."""
        wrong = _found(self.must_not, texts, True) + _found(self.relations_not, relations, True)
        missing = _found(self.must, texts, False) + _found(self.relations, relations, False)
        return (WRONG if wrong else MISSING if missing else RIGHT), wrong + missing

    @property
    def said(self) -> str:
        """The whole conversation as readable text."""
        return " / ".join(turn.content for call in self.calls for turn in call)


def load(path: Path = CONVERSATIONS) -> list[Conversation]:
    """Returns the conversations of a file."""
    return [_conversation(json.loads(line)) for line in path.read_text("utf-8").splitlines()]


def _conversation(data: dict[str, Any]) -> Conversation:
    return Conversation(
        data["kind"],
        tuple(tuple(Turn(**turn) for turn in call["messages"]) for call in data["turns"]),
        *(tuple(data.get(key, ())) for key in ("must", "must_not", "relations", "relations_not")),
    )


def _found(patterns: Iterable[str], texts: Sequence[str], expected: bool) -> list[str]:
    """Returns the patterns that match a text, or, if not `expected`, those that match none."""
    return [
        pattern
        for pattern in patterns
        if any(re.search(pattern, text, re.IGNORECASE) for text in texts) is expected
    ]


class Player:
    """Sends conversations to a server, each as a new user."""

    def __init__(self, channel: grpc.aio.Channel, key: str) -> None:
        self._memories: memory_service_pb2_grpc.MemoryServiceAsyncStub = (
            memory_service_pb2_grpc.MemoryServiceStub(channel)
        )
        self._graph: graph_service_pb2_grpc.GraphServiceAsyncStub = (
            graph_service_pb2_grpc.GraphServiceStub(channel)
        )
        self._metadata = (("authorization", f"Token {key}"),)
        self._gate = asyncio.Semaphore(AT_ONCE)

    async def play(self, conversation: Conversation) -> tuple[list[str], list[str]]:
        """Sends a conversation; returns the resulting memories and relations."""
        user, token = f"understanding-{uuid4().hex}", ""
        async with self._gate:
            for call in conversation.calls:
                request = memory_service_pb2.AddMemoriesRequest(
                    user_id=user,
                    version="v2",
                    output_format="v1.1",
                    messages=[
                        memory_pb2.Message(
                            role=turn.role, content=turn.content, name=turn.name or None
                        )
                        for turn in call
                    ],
                )
                response = await self._memories.AddMemories(request, metadata=self._metadata)
                token = response.consistency_token or token
            listed = await self._memories.ListMemories(
                memory_service_pb2.ListMemoriesRequest(user_id=user, page_size=100),
                metadata=self._metadata,
            )
            return [memory.text for memory in listed.memories], await self._relations(user, token)

    async def _relations(self, user: str, token: str) -> list[str]:
        """Returns the relations once the graph has caught up; Neo4j takes a while to start."""
        request = graph_service_pb2.ListRelationsRequest(
            user_id=user, consistency_token=token or None
        )
        for attempt in range(GRAPH_ATTEMPTS):
            try:
                found = await self._graph.ListRelations(request, metadata=self._metadata)
            except grpc.aio.AioRpcError as error:
                if error.code() is not grpc.StatusCode.UNAVAILABLE or attempt == GRAPH_ATTEMPTS - 1:
                    raise
                await asyncio.sleep(GRAPH_WAIT_SECONDS)
            else:
                return [f"{r.source} {r.relation} {r.target}" for r in found.relations]
        return []


async def main() -> None:
    """Sends all conversations and prints how many are right, by kind."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("file", nargs="?", type=Path, default=CONVERSATIONS)
    parser.add_argument("--address", default="127.0.0.1:50051")
    parser.add_argument("--key", required=True, help="an API key")
    parser.add_argument("--show", action="store_true", help="print those that are not right")
    arguments = parser.parse_args()
    console = Console(soft_wrap=True, highlight=False, markup=False)
    conversations = load(arguments.file)
    async with grpc.aio.insecure_channel(arguments.address) as channel:
        player = Player(channel, arguments.key)
        held = await asyncio.gather(*map(player.play, conversations))
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for conversation, (texts, relations) in zip(conversations, held, strict=True):
        verdict, why = conversation.verdict(texts, relations)
        counts[conversation.kind][verdict] += 1
        if arguments.show and verdict != RIGHT:
            console.print(f"{conversation.kind}: {verdict} {why}\n  said {conversation.said}")
            console.print(f"  holds {texts}\n  relations {relations}")
    console.print(table(counts))


def table(counts: dict[str, Counter[str]]) -> Table:
    """Returns a table of the conversations of each kind that are right, missing or wrong."""
    shown = Table("Kind", RIGHT, MISSING, WRONG)
    everything = sum(counts.values(), Counter[str]())
    for kind, count in [*counts.items(), ("all", everything)]:
        shown.add_row(kind, *(str(count[verdict]) for verdict in (RIGHT, MISSING, WRONG)))
    return shown


if __name__ == "__main__":
    asyncio.run(main())
