"""Whether this server can work on this database."""

from __future__ import annotations

from server.adapters.postgres.pool import Database
from server.adapters.postgres.schema import load_migrations
from server.adapters.statements import load_statements

SQL = load_statements("server.adapters.postgres.sql", "readiness.sql")


class PostgresReadiness:
    """Implements `server.ports.readiness.StoreReadiness`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._latest = max(migration.version for migration in load_migrations())

    async def schema_fault(self) -> str | None:
        """See the port."""
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

    async def claim_embedder(self, model: str, dimensions: int) -> str:
        """See the port."""
        async with self._database.connection() as connection:
            stored = await connection.fetchval(
                SQL["claim_embedder"], {"model": model, "dimensions": dimensions}
            )
        return str(stored["model"])
