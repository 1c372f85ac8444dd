"""The key of tokens, which all servers of a database share."""

from __future__ import annotations

import secrets

from server.storage.postgres.pool import Database
from server.storage.postgres.statements import load_sql

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
