"""Changing the embedder of a store on PostgreSQL."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from uuid import UUID

from server.adapters.postgres.pool import Database, transaction
from server.adapters.postgres.vector_index import SQL as VECTOR_INDEX
from server.adapters.postgres.vectors import to_halfvec
from server.adapters.statements import load_statements
from server.domain.indexed_text import embedded_text
from server.domain.store_faults import OtherEmbedderWanted, StoreInUse
from server.domain.values import Vector
from server.ports.readiness import EmbedderIdentity
from server.ports.reembedding import TextPlace

SQL = load_statements("server.adapters.postgres.sql", "reembedding.sql")


class PostgresReembedding:
    """Implements `server.ports.reembedding.Reembedding`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def begin(self, embedder: EmbedderIdentity) -> bool:
        """See the port."""
        target = asdict(embedder)
        async with self._database.connection() as connection, transaction(connection):
            if await connection.fetchval(SQL["servers"]):
                raise StoreInUse
            await connection.execute(SQL["alone"])
            state = await connection.fetchrow(SQL["state"])
            assert state is not None
            if state["target"] == target:
                return True
            if state["target"] is None and state["embedder"] in (None, target):
                return False
            # An index is of vectors of one length.
            for row in await connection.fetch(VECTOR_INDEX["vector_indexes"]):
                await connection.execute(VECTOR_INDEX["drop"].replace("{name}", row["relname"]))
            await connection.execute(SQL["forget"])
            await connection.execute(SQL["list"])
            await connection.execute(SQL["aim"], target)
            return True

    async def count(self) -> int:
        """See the port."""
        async with self._database.connection() as connection:
            return int(await connection.fetchval(SQL["count"]))

    async def texts(self, limit: int) -> list[TextPlace]:
        """See the port."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(SQL["texts"], limit)
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
        """See the port."""
        keys = [json.loads(place.key) for place in places]
        async with self._database.connection() as connection, transaction(connection):
            await connection.execute(
                SQL["replace"],
                [project_id for project_id, _, _ in keys],
                [UUID(memory_id) for _, memory_id, _ in keys],
                [version for _, _, version in keys],
                [to_halfvec(embedding) for embedding in embeddings],
            )
            # Last, so that the locks are taken in the order in which `begin` takes them.
            if await connection.fetchval(SQL["hold_target"]) != asdict(embedder):
                raise OtherEmbedderWanted

    async def finish(self, embedder: EmbedderIdentity) -> None:
        """See the port."""
        async with self._database.connection() as connection:
            if await connection.fetchval(SQL["finish"], asdict(embedder)) is None:
                raise OtherEmbedderWanted
