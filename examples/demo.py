"""A short conversation with a running server: what is remembered, found and related.

    python examples/demo.py [--address 127.0.0.1:50051] [--key KEY]

By default it finds the server that runs on the data directory (`make run`) and its development key.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from pathlib import Path
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

Metadata = tuple[tuple[str, str], ...]

CONVERSATION = (
    ("user", "Hi! I'm Alice. I moved to Lisbon last month and I work at Acme as a designer."),
    ("assistant", "Welcome to Lisbon! How do you like it so far?"),
    ("user", "I love it. My sister Ana lives in Porto, and I'm allergic to peanuts."),
)
QUESTIONS = ("What is her job?", "Which foods are dangerous for her?", "Where is her family?")

GRAPH_ATTEMPTS = 20
GRAPH_WAIT_SECONDS = 3.0

console = Console(highlight=False)


async def main() -> None:
    """Plays the conversation."""
    address, key = where()
    metadata: Metadata = (("authorization", f"Token {key}"),)
    user = f"demo-{uuid4().hex[:8]}"
    async with grpc.aio.insecure_channel(address) as channel:
        memories = memory_service_pb2_grpc.MemoryServiceStub(channel)
        graph = graph_service_pb2_grpc.GraphServiceStub(channel)

        console.rule(f"AddMemories for {user} on {address}")
        for role, content in CONVERSATION:
            console.print(f"[bold]{role}[/bold]: {content}")
        added = await memories.AddMemories(
            memory_service_pb2.AddMemoriesRequest(
                user_id=user,
                messages=[memory_pb2.Message(role=r, content=c) for r, c in CONVERSATION],
                output_format="v1.1",
                version="v2",
            ),
            metadata=metadata,
        )
        show_added(added)

        console.rule("SearchMemories")
        for question in QUESTIONS:
            found = await memories.SearchMemories(
                memory_service_pb2.SearchMemoriesRequest(user_id=user, query=question, top_k=2),
                metadata=metadata,
            )
            show_found(question, found)

        console.rule("ListRelations")
        show_relations(await relations(graph, user, added.consistency_token, metadata))


async def relations(
    graph: graph_service_pb2_grpc.GraphServiceAsyncStub, user: str, token: str, metadata: Metadata
) -> graph_service_pb2.ListRelationsResponse:
    """What the graph holds, once it has followed; Neo4j takes a while to start.

    Raises:
        grpc.aio.AioRpcError: it does not within a minute.
    """
    request = graph_service_pb2.ListRelationsRequest(user_id=user, consistency_token=token)
    for _ in range(GRAPH_ATTEMPTS):
        try:
            return await graph.ListRelations(request, metadata=metadata)
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.UNAVAILABLE:
                raise
            console.print(f"waiting: {error.details()}", style="dim")
            await asyncio.sleep(GRAPH_WAIT_SECONDS)
    return await graph.ListRelations(request, metadata=metadata)


def show_added(response: memory_service_pb2.AddMemoriesResponse) -> None:
    """Prints what the call changed."""
    table = Table("event", "memory", "categories", box=None)
    for result in response.results:
        event = memory_pb2.MemoryEvent.Type.Name(result.event)
        table.add_row(event, result.data.memory, ", ".join(result.categories))
    console.print(table)
    console.print(f"inferred with {response.models_used.language_model}", style="dim")


def show_found(question: str, response: memory_service_pb2.SearchMemoriesResponse) -> None:
    """Prints the hits of one question."""
    console.print(f"[bold]{question}[/bold]")
    for result in response.results:
        console.print(f"  {result.score:.2f}  {result.memory.text}")


def show_relations(response: graph_service_pb2.ListRelationsResponse) -> None:
    """Prints who relates to what."""
    for relation in response.relations:
        console.print(f"  {relation.source} --{relation.relation}--> {relation.target}")


def where() -> tuple[str, str]:
    """The address and the key: from the arguments, else of the server on the data directory."""
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
            f"no server runs on {data_dir}: start one with `make run`, or name --address, --key"
        )
    return address, key


def running_address(data_dir: Path) -> str:
    """The address that the running server has written into its data directory."""
    return str(json.loads((data_dir / "runtime.json").read_text(encoding="utf-8"))["grpc_address"])


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except grpc.aio.AioRpcError as error:
        sys.exit(f"{error.code().name}: {error.details()}")
