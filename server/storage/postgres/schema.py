"""Brings the schema up to date, and gives the service role its rights."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources

import asyncpg

from server.core.errors import MemoirError
from server.core.transient_errors import StoreUnavailable
from server.storage.postgres.connections import ALL_PROJECTS
from server.storage.postgres.pool import UNAVAILABLE
from server.storage.postgres.statements import load_sql

SQL = load_sql("schema.sql")

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
