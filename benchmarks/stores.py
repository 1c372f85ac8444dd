"""New databases, and memories with given relations in them."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from benchmarks.servers import PROJECT, ROOT
from benchmarks.worlds import Fact
from server.core.clock import new_id
from server.core.values import Neo4jAddress
from server.embedded import EmbeddedPostgres, no_progress
from server.embedded.neo4j import EmbeddedNeo4j
from server.memories.changes import Addition, Call, ChangeSet
from server.memories.memory import fact_digest
from server.memories.scope import Scope
from server.models.ports import Embedder, EmbeddingPurpose
from server.storage.postgres.memory_store import PostgresMemoryStore

NEO4J_LIB = ROOT / ".local" / "neo4j" / "5.18.0" / "lib"


@asynccontextmanager
async def databases() -> AsyncIterator[tuple[str, Neo4jAddress]]:
    """Runs both databases during the block; yields PostgreSQL's DSN and Neo4j's address."""
    with tempfile.TemporaryDirectory(prefix="memoir-bench-") as folder:
        postgres = EmbeddedPostgres(Path(folder, "postgres"), no_progress)
        neo4j = EmbeddedNeo4j(Path(folder, "neo4j"), NEO4J_LIB, no_progress)
        try:
            dsn, address = await asyncio.gather(postgres.start(), neo4j.start())
            yield dsn, Neo4jAddress(address.uri, address.user, address.password)
        finally:
            await neo4j.stop()
            await postgres.stop()


async def remember(
    store: PostgresMemoryStore, embedder: Embedder, scope: Scope, facts: Sequence[Fact]
) -> dict[str, UUID]:
    """Stores the facts as memories in one transaction; returns their ids by text."""
    now = datetime.now(UTC)
    call = Call(new_id(now), PROJECT, scope, "AddMemories", now, "bench", embedder.model)
    vectors = await embedder.embed([f.text for f in facts], EmbeddingPurpose.DOCUMENT)
    added = [
        Addition(
            memory_id=new_id(now),
            text=fact.text,
            digest=fact_digest(fact.text),
            role=None,
            name=None,
            evidence=(),
            relations=fact.relations,
            embedding=vector,
        )
        for fact, vector in zip(facts, vectors, strict=True)
    ]
    await store.commit(ChangeSet(call, changes=added))
    return {each.text: each.memory_id for each in added}
