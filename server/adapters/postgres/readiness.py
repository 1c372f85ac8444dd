"""Whether this server can work on this database."""

from __future__ import annotations

from dataclasses import asdict

from server.adapters.postgres.pool import Database
from server.adapters.postgres.schema import load_migrations
from server.adapters.statements import load_statements
from server.domain.store_faults import StoreUnready
from server.ports.readiness import EmbedderIdentity

SQL = load_statements("server.adapters.postgres.sql", "readiness.sql")


class PostgresReadiness:
    """Implements `server.ports.readiness.StoreReadiness`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._latest = max(migration.version for migration in load_migrations())
        self._was_behind = True

    async def schema_fault(self) -> str | None:
        """See the port."""
        fault = await self._schema_fault()
        if self._was_behind and fault is None:
            # A connection learns the types that there are when it is made, so that one from before
            # the migration could not send an embedding.
            await self._database.pool.expire_connections()
        self._was_behind = fault is not None
        return fault

    async def _schema_fault(self) -> str | None:
        async with self._database.connection() as connection:
            if not await connection.fetchval(SQL["has_ledger"]):
                return "the database has no schema yet; run: python -m server migrate"
            version = await connection.fetchval(SQL["schema_version"])
        if version < self._latest:
            return (
                f"the schema is at version {version} and this server needs {self._latest}; "
                "run: python -m server migrate"
            )
        return None

    async def claim_embedder(self, embedder: EmbedderIdentity) -> EmbedderIdentity:
        """See the port."""
        async with self._database.connection() as connection:
            # Asked every second: only a store without an embedder is written to.
            row = await connection.fetchrow(SQL["embedder"])
            assert row is not None
            if row["is_changing"]:
                raise StoreUnready(
                    "the store's embedder is being changed; to finish it, run: "
                    "python -m server reembed"
                )
            stored = row["embedder"]
            if stored is None:
                stored = await connection.fetchval(SQL["claim_embedder"], asdict(embedder))
        return EmbedderIdentity(**stored)
