"""The key of the tokens that clients hand back, which all servers of a store share."""

from __future__ import annotations

import secrets

from server.storage.postgres.pool import Database
from server.storage.postgres.statements import load_sql

TOKEN_KEY_SQL = load_sql("token_key.sql")


class PostgresTokenKey:
    """Keeps the key in the database."""

    def __init__(self, database: Database, length: int) -> None:
        """`length` is that of a new key, in bytes."""
        self._database = database
        self._length = length

    async def load(self) -> bytes:
        """Returns the key; makes it if the store has none.

        Raises:
            StoreUnavailable: PostgreSQL cannot be reached.
        """
        async with self._database.connection() as connection:
            key = await connection.fetchval(*TOKEN_KEY_SQL["find"]())
            if key is None:
                drawn = secrets.token_bytes(self._length).hex()
                key = await connection.fetchval(*TOKEN_KEY_SQL["keep"](key=drawn))
        return bytes.fromhex(key)
