"""Checks that a server can work on the schema and with its embedder, and changes the embedder."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from uuid import UUID

from server.core.values import Vector
from server.maintenance.store import (
    EmbedderIdentity,
    ReembeddingConflict,
    StoreInUse,
    StoreUnready,
    TextPlace,
)
from server.memories.memory import embedded_text
from server.storage.postgres.connections import transaction
from server.storage.postgres.pool import Database
from server.storage.postgres.rows import to_halfvec
from server.storage.postgres.schema import load_migrations
from server.storage.postgres.statements import load_sql
from server.storage.postgres.vector_index import SQL as VECTOR_INDEX

SQL = load_sql("readiness.sql")
REEMBEDDING_SQL = load_sql("reembedding.sql")


class PostgresMaintenance:
    """Implements `server.maintenance.ports.StoreMaintenance`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._latest = max(migration.version for migration in load_migrations())
        self._was_behind = True

    async def schema_fault(self) -> str | None:
        fault = await self._schema_fault()
        if self._was_behind and fault is None:
            # Connections read the types when they are opened, so connections from before the
            # migration cannot send embeddings.
            await self._database.renew_connections()
        self._was_behind = fault is not None
        return fault

    async def _schema_fault(self) -> str | None:
        async with self._database.connection() as connection:
            if not await connection.fetchval(*SQL["has_ledger"]()):
                return "the database has no schema yet; run: python -m server migrate"
            version = await connection.fetchval(*SQL["schema_version"]())
        if version < self._latest:
            return (
                f"the schema is at version {version} and this server needs {self._latest}; "
                "run: python -m server migrate"
            )
        return None

    async def claim_embedder(self, embedder: EmbedderIdentity) -> EmbedderIdentity:
        async with self._database.connection() as connection:
            # This is called every second, so only a store without an embedder is written to.
            row = await connection.fetchrow(*SQL["embedder"]())
            assert row is not None
            if row["is_changing"]:
                raise StoreUnready(
                    "the store's embedder is being changed; to finish it, run: "
                    "python -m server reembed"
                )
            stored = row["embedder"]
            if stored is None:
                stored = await connection.fetchval(
                    *SQL["claim_embedder"](embedder=asdict(embedder))
                )
        return EmbedderIdentity(**stored)

    async def begin_reembedding(self, embedder: EmbedderIdentity) -> bool:
        target = asdict(embedder)
        async with self._database.connection() as connection, transaction(connection):
            if await connection.fetchval(*REEMBEDDING_SQL["servers"]()):
                raise StoreInUse
            await connection.execute(*REEMBEDDING_SQL["exclude_others"]())
            state = await connection.fetchrow(*REEMBEDDING_SQL["state"]())
            assert state is not None
            if state["target"] == target:
                return True
            if state["target"] is None and state["embedder"] in (None, target):
                return False
            # An index holds vectors of one length.
            for row in await connection.fetch(*VECTOR_INDEX["vector_indexes"]()):
                drop = VECTOR_INDEX["drop"].fill(name=row["relname"])
                await connection.execute(*drop())
            await connection.execute(*REEMBEDDING_SQL["clear"]())
            await connection.execute(*REEMBEDDING_SQL["list_texts"]())
            await connection.execute(*REEMBEDDING_SQL["set_target"](target=target))
            return True

    async def count_texts(self) -> int:
        return int(await self._database.fetchval(REEMBEDDING_SQL["count"]()))

    async def next_texts(self, limit: int) -> list[TextPlace]:
        rows = await self._database.fetch(REEMBEDDING_SQL["texts"](limit=limit))
        return [
            TextPlace(
                json.dumps([row["project_id"], str(row["memory_id"]), row["version"]]),
                embedded_text(row["text"], row["speaker"]),
            )
            for row in rows
        ]

    async def replace_embeddings(
        self, embedder: EmbedderIdentity, places: Sequence[TextPlace], embeddings: Sequence[Vector]
    ) -> None:
        keys = [json.loads(place.key) for place in places]
        async with self._database.connection() as connection, transaction(connection):
            await connection.execute(
                *REEMBEDDING_SQL["replace"](
                    project_ids=[project_id for project_id, _, _ in keys],
                    memory_ids=[UUID(memory_id) for _, memory_id, _ in keys],
                    versions=[version for _, _, version in keys],
                    vectors=[to_halfvec(embedding) for embedding in embeddings],
                )
            )
            # Last, so that locks are taken in the same order as by `begin_reembedding`.
            if await connection.fetchval(*REEMBEDDING_SQL["hold_target"]()) != asdict(embedder):
                raise ReembeddingConflict

    async def finish_reembedding(self, embedder: EmbedderIdentity) -> None:
        finished = await self._database.fetchval(REEMBEDDING_SQL["finish"](target=asdict(embedder)))
        if finished is None:
            raise ReembeddingConflict
