"""The key of tokens is generated once, by the server that starts first."""

from __future__ import annotations

import asyncio

from server.api.grpc.convert.tokens import KEY_BYTES, Tokens
from server.storage.postgres.pool import Database
from server.storage.postgres.schema import PostgresTokenKey


async def test_servers_that_start_together_share_one_key(database: Database) -> None:
    keys = await asyncio.gather(
        *(PostgresTokenKey(database, KEY_BYTES).load() for _ in range(8)),
    )
    assert len(set(keys)) == 1
    assert len(keys[0]) == KEY_BYTES
    assert await PostgresTokenKey(database, KEY_BYTES).load() == keys[0]


async def test_the_key_is_requested_once(database: Database) -> None:
    loads = 0

    async def load() -> bytes:
        nonlocal loads
        loads += 1
        return await PostgresTokenKey(database, KEY_BYTES).load()

    tokens = Tokens(load)
    assert (await tokens.of_project("a")).cipher is (await tokens.of_project("b")).cipher
    assert loads == 1
