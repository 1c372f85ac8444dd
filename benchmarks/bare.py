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
from server.memories.changes import Addition, Call, ChangeSet
from server.memories.conversation import Role, StoredMessage
from server.memories.memory import verbatim_digest
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
        self._commits = Commits(database, lambda _changes, _committed: None)
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
        added = [
            Addition(
                memory_id=new_id(now),
                text=text,
                digest=verbatim_digest(Role.USER, None, text),
                role=Role.USER,
                name=None,
                evidence=(),
                embedding=vector,
            )
            for text, vector in zip(texts, vectors, strict=True)
        ]
        messages = [
            StoredMessage(new_id(now), ordinal, Role.USER, text, None, now)
            for ordinal, text in enumerate(texts)
        ]
        changes = ChangeSet(call, messages, added, inferred=False)
        committed = await self._commits.commit(changes)
        return memory_service_pb2.AddMemoriesResponse(
            results=[
                memory_service_pb2.AddMemoriesResult(
                    id=str(item.memory_id),
                    data=memory_service_pb2.AddMemoriesResult.Data(memory=item.text),
                )
                for item in added
                if item.memory_id in committed.added
            ]
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
