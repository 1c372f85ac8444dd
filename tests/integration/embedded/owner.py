"""Starts an embedded database, prints how to reach it, and waits to be killed.

Usage: owner.py postgres|neo4j DATA_DIR
"""

import asyncio
import sys
from pathlib import Path

from server.embedded import EmbeddedNeo4j, EmbeddedPostgres, no_progress
from tests.integration.embedded.support import LIB_DIR


async def main() -> None:
    kind, data_dir = sys.argv[1], Path(sys.argv[2])
    if kind == "postgres":
        print(await EmbeddedPostgres(data_dir, no_progress).start(), flush=True)
    else:
        neo4j = EmbeddedNeo4j(data_dir, LIB_DIR, no_progress)
        address = await neo4j.start()
        print(address.uri, address.user, address.password, flush=True)
    await asyncio.Event().wait()


asyncio.run(main())
