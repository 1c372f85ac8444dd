"""A minimal server: grpc.aio and asyncpg, writing the same rows as the service.

It has no keys, validation, correlation ids, errors or history semantics, and so shows the overhead
of the service over its transport and its database. It answers `AddMemories` with `infer=false`.

    python -m benchmarks.bare DSN
"""

from __future__ import annotations

import asyncio
import sys
from datetime import UTC, datetime
from typing import Any

import grpc
import uvloop
from memoir.v1 import memory_service_pb2

from server.core.clock import new_id
from server.memories.conversation import Role, StoredMessage
from server.memories.memory import Memory, Provenance, verbatim_digest
from server.memories.ports import Call, ChangeSet, EmbeddedMemory
from server.memories.scope import Scope
from server.models.offline.embedder import OfflineEmbedder
from server.models.ports import EmbeddingPurpose
from server.storage.postgres.commit import Commits
from server.storage.postgres.pool import Database, PostgresOptions, open_database

METHOD = "AddMemories"
SERVICE = "memoir.v1.MemoryService"


class BareService:
    """Writes the rows and nothing else."""

    def __init__(self, database: Database, embedder: OfflineEmbedder) -> None:
        self._commits = Commits(database)
        self._embedder = embedder

    async def add(
        self, request: memory_service_pb2.AddMemoriesRequest, _context: Any
    ) -> memory_service_pb2.AddMemoriesResponse:
        """Stores every message as a memory."""
        now = datetime.now(UTC)
        texts = [message.content for message in request.messages]
        vectors = await self._embedder.embed(texts, EmbeddingPurpose.DOCUMENT)
        scope = Scope(user_id=request.user_id)
        call = Call(new_id(now), "bare", scope, METHOD, now, "bare", self._embedder.model)
        origin = Provenance(call.id, None, "bare", self._embedder.model)
        added = [
            EmbeddedMemory(ordinal, _memory(call, origin, text), _digest(text), vector)
            for ordinal, (text, vector) in enumerate(zip(texts, vectors, strict=True))
        ]
        messages = [
            StoredMessage(new_id(now), ordinal, Role.USER, text, None, now)
            for ordinal, text in enumerate(texts)
        ]
        committed = await self._commits.commit(ChangeSet(call, messages, added))
        return memory_service_pb2.AddMemoriesResponse(
            results=[
                memory_service_pb2.AddMemoriesResult(
                    id=str(item.memory.id),
                    data=memory_service_pb2.AddMemoriesResult.Data(memory=item.memory.text),
                )
                for item in added
                if item.memory.id in committed.added
            ]
        )


def _digest(text: str) -> bytes:
    return verbatim_digest(Role.USER, None, text)


def _memory(call: Call, origin: Provenance, text: str) -> Memory:
    return Memory(
        id=new_id(call.time),
        project_id=call.project_id,
        scope=call.scope,
        text=text,
        metadata={},
        categories=(),
        immutable=False,
        create_time=call.time,
        update_time=call.time,
        event_time=call.time,
        expiration_date=None,
        inferred=False,
        role=Role.USER,
        name=None,
        version=1,
        provenance=origin,
    )


async def main() -> None:
    """Serves until it is killed; prints its address first."""
    async with open_database(sys.argv[1], PostgresOptions()) as database:
        service = BareService(database, OfflineEmbedder.load())
        handler = grpc.unary_unary_rpc_method_handler(
            service.add,
            request_deserializer=memory_service_pb2.AddMemoriesRequest.FromString,
            response_serializer=memory_service_pb2.AddMemoriesResponse.SerializeToString,
        )
        server = grpc.aio.server()
        server.add_generic_rpc_handlers(
            [grpc.method_handlers_generic_handler(SERVICE, {METHOD: handler})]
        )
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        sys.stdout.write(f"serving on 127.0.0.1:{port}\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(main())
