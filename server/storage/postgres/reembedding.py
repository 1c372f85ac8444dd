"""Changing the embedder of a store on PostgreSQL."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from uuid import UUID

from server.core.values import Vector
from server.maintenance.ports import EmbedderIdentity, OtherEmbedderWanted, StoreInUse, TextPlace
from server.memories.memory import embedded_text
from server.storage.postgres.pool import Database, transaction
from server.storage.postgres.rows import to_halfvec
from server.storage.postgres.statements import load_sql
from server.storage.postgres.vector_index import SQL as VECTOR_INDEX

SQL = load_sql("reembedding.sql")


class PostgresReembedding:
    """Implements `server.maintenance.ports.Reembedding`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def begin(self, embedder: EmbedderIdentity) -> bool:
        target = asdict(embedder)
        async with self._database.connection() as connection, transaction(connection):
            if await connection.fetchval(*SQL["servers"]()):
                raise StoreInUse
            await connection.execute(*SQL["alone"]())
            state = await connection.fetchrow(*SQL["state"]())
            assert state is not None
            if state["target"] == target:
                return True
            if state["target"] is None and state["embedder"] in (None, target):
                return False
            # An index is of vectors of one length.
            for row in await connection.fetch(*VECTOR_INDEX["vector_indexes"]()):
                drop = VECTOR_INDEX["drop"].fill(name=row["relname"])
                await connection.execute(*drop())
            await connection.execute(*SQL["forget"]())
            await connection.execute(*SQL["list"]())
            await connection.execute(*SQL["aim"](target=target))
            return True

    async def count(self) -> int:
        async with self._database.connection() as connection:
            return int(await connection.fetchval(*SQL["count"]()))

    async def texts(self, limit: int) -> list[TextPlace]:
        async with self._database.connection() as connection:
            rows = await connection.fetch(*SQL["texts"](limit=limit))
        return [
            TextPlace(
                json.dumps([row["project_id"], str(row["memory_id"]), row["version"]]),
                embedded_text(row["text"], row["speaker"]),
            )
            for row in rows
        ]

    async def replace(
        self, embedder: EmbedderIdentity, places: Sequence[TextPlace], embeddings: Sequence[Vector]
    ) -> None:
        keys = [json.loads(place.key) for place in places]
        async with self._database.connection() as connection, transaction(connection):
            await connection.execute(
                *SQL["replace"](
                    project_ids=[project_id for project_id, _, _ in keys],
                    memory_ids=[UUID(memory_id) for _, memory_id, _ in keys],
                    versions=[version for _, _, version in keys],
                    vectors=[to_halfvec(embedding) for embedding in embeddings],
                )
            )
            # Last, so that the locks are taken in the order in which `begin` takes them.
            if await connection.fetchval(*SQL["hold_target"]()) != asdict(embedder):
                raise OtherEmbedderWanted

    async def finish(self, embedder: EmbedderIdentity) -> None:
        async with self._database.connection() as connection:
            finished = await connection.fetchval(*SQL["finish"](target=asdict(embedder)))
        if finished is None:
            raise OtherEmbedderWanted
