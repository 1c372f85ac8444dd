"""Measures the graph arm on questions whose answers share no words with them.

    python -m benchmarks.multihop [--users N] [--seed N]

It invents people, companies and cities, a world for each user, and stores facts about them with
their relations. It searches questions whose answer is one relation away from their words
("multi-hop") and questions that share words with their answer ("direct"), without the graph and
with several weights of its arm. It uses an empty PostgreSQL and the offline embedder; the relations
are given and not inferred, so that only the search is measured.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import tempfile
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from uuid import UUID

from rich.console import Console
from rich.table import Table

from benchmarks.servers import PROJECT, postgres
from benchmarks.stores import remember
from benchmarks.worlds import World, invent
from server.core.clock import Clock
from server.memories.queries import SearchQuery
from server.memories.scope import Scope
from server.memories.search.arms import GraphArm
from server.memories.search.ranking import ArmWeights
from server.models.offline.embedder import OfflineEmbedder
from server.models.ports import EmbeddingPurpose
from server.runtime.composition.commands import migrate_database
from server.storage.postgres.memory_store import PostgresMemoryStore
from server.storage.postgres.pool import PostgresOptions, open_database

DEPTHS = (1, 5, 10)
WEIGHTS = (0.0, 0.25, 0.5, 0.75, 1.0)


@dataclass(frozen=True, slots=True)
class Bench:
    """The stores and the search under test."""

    store: PostgresMemoryStore
    embedder: OfflineEmbedder
    arm: GraphArm


@asynccontextmanager
async def bench() -> AsyncIterator[Bench]:
    """Yields a bench on its own databases."""
    with tempfile.TemporaryDirectory(prefix="memoir-bench-") as folder:
        async with postgres(Path(folder)) as dsn:
            await migrate_database(dsn, lambda _: None)
            async with open_database(dsn, PostgresOptions()) as database:
                store = PostgresMemoryStore(database, lambda: None)
                yield Bench(store, OfflineEmbedder.load(), GraphArm(store, Clock()))


async def measure(bench: Bench, worlds: Sequence[World]) -> dict[tuple[str, float, int], float]:
    """Returns the recall by kind of question, weight of the graph arm and depth."""
    recalls: dict[tuple[str, float, int], list[float]] = defaultdict(list)
    for number, world in enumerate(worlds):
        scope = Scope(user_id=f"user-{number}")
        ids = await remember(bench.store, bench.embedder, scope, world.facts)
        for question in world.questions:
            for weight in WEIGHTS:
                hits = await search(bench, scope, question.text, weight)
                rank = hits.index(ids[question.evidence]) if ids[question.evidence] in hits else 99
                for depth in DEPTHS:
                    recalls[question.kind, weight, depth].append(float(rank < depth))
    return {key: fmean(values) for key, values in recalls.items()}


async def search(bench: Bench, scope: Scope, question: str, weight: float) -> list[UUID]:
    """Returns the hits of one search; a weight of 0 leaves the graph out."""
    [vector] = await bench.embedder.embed([question], EmbeddingPurpose.QUERY)
    asked = bench.arm.query_for(PROJECT, scope, question) if weight else None
    graph = (await bench.arm(asked)).scores if asked else {}
    query = SearchQuery(
        PROJECT,
        scope,
        vector,
        max(DEPTHS),
        None,
        text=question,
        weights=ArmWeights(graph=weight),
        graph=graph,
    )
    return [hit.id for hit in await bench.store.search(query)]


async def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description="The graph's arm on multi-hop questions.")
    parser.add_argument("--users", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    chance = random.Random(arguments.seed)
    worlds = [invent(chance) for _ in range(arguments.users)]
    async with bench() as running:
        recalls = await measure(running, worlds)
    table = Table("Questions", "Weight of the graph", *(f"recall@{d}" for d in DEPTHS))
    for kind in sorted({kind for kind, _, _ in recalls}):
        for weight in WEIGHTS:
            cells = (f"{recalls[kind, weight, depth]:.3f}" for depth in DEPTHS)
            table.add_row(kind, f"{weight:g}" if weight else "without", *cells)
    Console().print(table)


if __name__ == "__main__":
    asyncio.run(main())
