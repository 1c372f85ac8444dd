"""Brings the schema up to date, checks that a server can work on it, and changes the embedder."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from importlib import resources
from uuid import UUID

import asyncpg

from server.core.errors import MemoirError
from server.core.transient_errors import StoreUnavailable
from server.core.values import Vector
from server.maintenance import (
    EmbedderIdentity,
    ReembeddingConflict,
    StoreInUse,
    StoreUnready,
    TextPlace,
)
from server.memories.memory import embedded_text
from server.storage.postgres.connections import ALL_PROJECTS, transaction
from server.storage.postgres.pool import UNAVAILABLE, Database
from server.storage.postgres.rows import to_halfvec
from server.storage.postgres.statements import load_sql
from server.storage.postgres.vector_index import SQL as VECTOR_INDEX

# An arbitrary number that all servers of a database must share: "memoir" in ASCII.
ADVISORY_LOCK = 0x6D656D6F6972


class SchemaConflict(MemoirError):
    """The database was migrated with other files."""


class RoleUnknown(MemoirError):
    """The database has no role with the name of the service role."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One step of the schema."""

    version: int
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        """SHA-256 of the step's text, which must never change once it is released."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


def load_migrations() -> list[Migration]:
    """Returns all steps in order."""
    folder = resources.files("server.storage.postgres") / "migrations"
    files = sorted(
        (file for file in folder.iterdir() if file.name.endswith(".sql")), key=lambda f: f.name
    )
    return [
        Migration(int(file.name[:4]), file.name[5:-4], file.read_text(encoding="utf-8"))
        for file in files
    ]


async def migrate(
    dsn: str, on_apply: Callable[[Migration], None], service_role: str | None = None
) -> int:
    """Applies the missing steps and returns their number.

    Servers that start together wait for each other with an advisory lock. `service_role` is granted
    the rights that a server needs.

    Raises:
        StoreUnavailable: PostgreSQL cannot be reached.
        SchemaConflict: an applied step differs from its file.
        RoleUnknown: there is no such role.
    """
    # Steps must see the rows of all projects, even if the tables' owner is not a superuser.
    every_row = {"memoir.project": ALL_PROJECTS}
    try:
        connection = await asyncpg.connect(dsn, timeout=10, server_settings=every_row)
    except UNAVAILABLE as error:
        raise StoreUnavailable from error
    try:
        await connection.execute(*SQL["lock_migrations"](number=ADVISORY_LOCK))
        await connection.execute(*SQL["create_ledger"]())
        missing = _missing(await _read_applied(connection))
        for migration in missing:
            on_apply(migration)
            await _apply(connection, migration)
        if service_role is not None:
            await _grant_service_role(connection, service_role)
        return len(missing)
    finally:
        await connection.close()


async def _read_applied(connection: asyncpg.Connection[asyncpg.Record]) -> dict[int, str]:
    rows = await connection.fetch(*SQL["applied_migrations"]())
    return {row["version"]: row["checksum"] for row in rows}


def _missing(applied: dict[int, str]) -> list[Migration]:
    migrations = load_migrations()
    for migration in migrations:
        if applied.get(migration.version, migration.checksum) != migration.checksum:
            raise SchemaConflict(
                f"migration {migration.version:04} ({migration.name}) was applied with another "
                "text: use the build of the server that created this database, or another database"
            )
    return [migration for migration in migrations if migration.version not in applied]


async def _grant_service_role(
    connection: asyncpg.Connection[asyncpg.Record], service_role: str
) -> None:
    try:
        await connection.execute(*SQL["let_serve"](service_role=service_role))
    except asyncpg.UndefinedObjectError as error:
        raise RoleUnknown(
            f"PostgreSQL has no role {service_role!r}; create it first, for example with: "
            f"createuser --pwprompt {service_role}"
        ) from error


async def _apply(connection: asyncpg.Connection[asyncpg.Record], migration: Migration) -> None:
    async with connection.transaction():
        await connection.execute(migration.sql)
        await connection.execute(
            *SQL["record_migration"](
                version=migration.version, name=migration.name, checksum=migration.checksum
            )
        )


SQL = load_sql("readiness.sql")
REEMBEDDING_SQL = load_sql("reembedding.sql")


class PostgresMaintenance:
    """Implements `server.maintenance.StoreMaintenance`."""

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


TOKEN_KEY_SQL = load_sql("token_key.sql")


class PostgresTokenKey:
    """Stores the key of tokens in the database."""

    def __init__(self, database: Database, length: int) -> None:
        """`length` is the length of a new key, in bytes."""
        self._database = database
        self._length = length

    async def load(self) -> bytes:
        """Returns the key; creates it if the store has none.

        Raises:
            StoreUnavailable: PostgreSQL cannot be reached.
        """
        async with self._database.connection() as connection:
            key = await connection.fetchval(*TOKEN_KEY_SQL["find"]())
            if key is None:
                new_key = secrets.token_bytes(self._length).hex()
                key = await connection.fetchval(*TOKEN_KEY_SQL["keep"](key=new_key))
        return bytes.fromhex(key)
