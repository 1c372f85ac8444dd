"""A short conversation with a running server: what is remembered, found, changed and related.

    python examples/demo.py [--address 127.0.0.1:50051] [--key KEY]

By default the data directory tells it the address and the development key of the server that
`make run` started.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import grpc
from google.protobuf.json_format import ParseDict
from google.protobuf.struct_pb2 import Struct
from memoir.v1 import (
    graph_service_pb2,
    graph_service_pb2_grpc,
    memory_pb2,
    memory_service_pb2,
    memory_service_pb2_grpc,
)
from rich.console import Console

Metadata = tuple[tuple[str, str], ...]
Messages = Sequence[tuple[str, str]]

FIRST: Messages = (
    ("user", "Hi! I'm Alice. I moved to Lisbon last month. I work at Acme as a designer."),
    ("assistant", "Welcome to Lisbon! How do you like it so far?"),
    ("user", "I love it. My sister Ana lives in Porto. I'm allergic to peanuts."),
)
LATER: Messages = (
    ("user", "I now work at Globex as a designer. I am no longer allergic to peanuts."),
)
PASSING: Messages = (("user", "I am staying at the Hotel Tejo."),)
QUESTIONS = ("What is her job?", "Where does her family live?")
GRAPH_ATTEMPTS = 20
GRAPH_WAIT_SECONDS = 3.0

console = Console(highlight=False, soft_wrap=True)


@dataclass(frozen=True)
class Demo:
    """One user's conversation with a server."""

    memories: memory_service_pb2_grpc.MemoryServiceAsyncStub
    graph: graph_service_pb2_grpc.GraphServiceAsyncStub
    metadata: Metadata
    user: str

    async def add(
        self, messages: Messages, expiration_date: str | None = None
    ) -> memory_service_pb2.AddMemoriesResponse:
        """Adds messages and prints what changed."""
        console.rule("AddMemories")
        for role, content in messages:
            console.print(f"[bold]{role}[/bold]: {content}")
        response = await self.memories.AddMemories(
            memory_service_pb2.AddMemoriesRequest(
                user_id=self.user,
                messages=[memory_pb2.Message(role=r, content=c) for r, c in messages],
                output_format="v1.1",
                version="v2",
                expiration_date=expiration_date,
            ),
            metadata=self.metadata,
        )
        for result in response.results:
            show_result(result)
        console.print(f"inferred with {response.models_used.language_model}", style="dim")
        return response

    async def search(self, question: str, filters: Struct | None = None) -> None:
        """Searches and prints the two best hits."""
        response = await self.memories.SearchMemories(
            memory_service_pb2.SearchMemoriesRequest(
                user_id=self.user, query=question, top_k=2, filters=filters
            ),
            metadata=self.metadata,
        )
        console.print(f"[bold]{question}[/bold]")
        for result in response.results:
            until = result.memory.expiration_date
            note = f"  (until {until})" if until else ""
            text = result.memory.text
            if result.HasField("passage"):
                text, note = result.passage.text, f"  (said by the {result.passage.role})"
            console.print(f"  {result.score:.2f}  {text}{note}")

    async def delete_and_restore(self, memory_id: str, version: int) -> str:
        """Deletes a memory, restores it, and returns the consistency token of the restoration."""
        console.rule("DeleteMemory, RestoreMemory")
        deleted = await self.memories.DeleteMemory(
            memory_service_pb2.DeleteMemoryRequest(id=memory_id), metadata=self.metadata
        )
        console.print(f"  deleted {deleted.receipt.memories} memory; its history stays")
        restored = await self.memories.RestoreMemory(
            memory_service_pb2.RestoreMemoryRequest(id=memory_id, version=version),
            metadata=self.metadata,
        )
        console.print(f"  restored as version {restored.memory.version}: {restored.memory.text}")
        return restored.consistency_token

    async def history(self, memory_id: str) -> None:
        """Prints the history of a memory."""
        response = await self.memories.ListMemoryEvents(
            memory_service_pb2.ListMemoryEventsRequest(id=memory_id), metadata=self.metadata
        )
        for event in response.events:
            name = memory_pb2.MemoryEvent.Type.Name(event.type)
            text = event.after.text or event.before.text
            console.print(f"  v{event.version}  {name:7}  {text}")

    async def relations(self, token: str) -> None:
        """Prints the relations, once the graph has the change with this token."""
        request = graph_service_pb2.ListRelationsRequest(user_id=self.user, consistency_token=token)
        response = await self._from_graph(request)
        for relation in response.relations:
            console.print(f"  {relation.source} --{relation.relation}--> {relation.target}")

    async def _from_graph(
        self, request: graph_service_pb2.ListRelationsRequest
    ) -> graph_service_pb2.ListRelationsResponse:
        """Retries for up to a minute, because Neo4j takes a while to start.

        Raises:
            grpc.aio.AioRpcError: the graph stays unavailable, or the call is refused.
        """
        for _ in range(GRAPH_ATTEMPTS):
            try:
                return await self.graph.ListRelations(request, metadata=self.metadata)
            except grpc.aio.AioRpcError as error:
                if error.code() is not grpc.StatusCode.UNAVAILABLE:
                    raise
                console.print(f"waiting: {error.details()}", style="dim")
                await asyncio.sleep(GRAPH_WAIT_SECONDS)
        return await self.graph.ListRelations(request, metadata=self.metadata)


def context() -> Metadata:
    """Returns the trace in which the demo was started, if any.

    https://www.w3.org/TR/trace-context/
    """
    traceparent = os.environ.get("TRACEPARENT")
    return (("traceparent", traceparent),) if traceparent else ()


async def main() -> None:
    """Finds the server and runs the demo."""
    address, key = find_server()
    async with grpc.aio.insecure_channel(address) as channel:
        demo = Demo(
            memory_service_pb2_grpc.MemoryServiceStub(channel),
            graph_service_pb2_grpc.GraphServiceStub(channel),
            (("authorization", f"Token {key}"), *context()),
            f"demo-{uuid4().hex[:8]}",
        )
        console.print(f"{demo.user} on {address}", style="dim")
        await play(demo)


async def play(demo: Demo) -> None:
    """Holds a conversation, asks questions, and shows what changed."""
    await demo.add(FIRST)
    changed = await demo.add(LATER)
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).date().isoformat()
    last = await demo.add(PASSING, expiration_date=tomorrow)

    console.rule("SearchMemories")
    for question in QUESTIONS:
        await demo.search(question)
    console.rule("SearchMemories, only what expires")
    await demo.search("Where is she?", filter_of({"expiration_date": {"exists": True}}))

    token = last.consistency_token
    for result in changed.results:
        if result.event == memory_pb2.MemoryEvent.UPDATE:
            token = await demo.delete_and_restore(result.id, result.version)
            console.rule("ListMemoryEvents")
            await demo.history(result.id)

    console.rule("ListRelations")
    await demo.relations(token)


def filter_of(condition: dict[str, object]) -> Struct:
    """Returns a filter in the Mem0 v2 grammar."""
    return ParseDict(condition, Struct())


def show_result(result: memory_service_pb2.AddMemoriesResult) -> None:
    """Prints one change."""
    event = memory_pb2.MemoryEvent.Type.Name(result.event)
    before = f"  [dim](was: {result.previous_memory})[/dim]" if result.previous_memory else ""
    tags = f"  [dim]{', '.join(result.categories)}[/dim]" if result.categories else ""
    console.print(f"  {event:6}  {result.data.memory}{before}{tags}")


def find_server() -> tuple[str, str]:
    """Returns the address and the key: from the arguments, else from the data directory."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--address", help="host:port of the server")
    parser.add_argument("--key", help="API key")
    arguments = parser.parse_args()
    data_dir = Path(os.environ.get("MEMOIR_DATA_DIR", ".local/data"))
    try:
        address = arguments.address or running_address(data_dir)
        key = arguments.key or (data_dir / "development-key").read_text(encoding="utf-8").strip()
    except (OSError, ValueError, KeyError):
        sys.exit(
            f"no server uses {data_dir}: start one with `make run`, or give --address and --key"
        )
    return address, key


def running_address(data_dir: Path) -> str:
    """Returns the address that the running server has written into its data directory."""
    return str(json.loads((data_dir / "runtime.json").read_text(encoding="utf-8"))["grpc_address"])


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except grpc.aio.AioRpcError as error:
        sys.exit(f"{error.code().name}: {error.details()}")
