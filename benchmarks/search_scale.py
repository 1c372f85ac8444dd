"""Measures the cost of a search by the size of the scope and of the table.

    python -m benchmarks.search_scale [--table N] [--questions N]

Scopes of 600, 10,000 and 100,000 memories, invented diaries with offline embeddings, are searched
through the store: by statement, with the indexes for large scopes and without them, and held in
memory; then once more after memories of others have filled the table. Recall is the share of an
exact search's best ten hits that was found.
"""

from __future__ import annotations

import argparse
import random
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import uvloop
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from benchmarks.scope_loading import copy_others, fill, insert_some, question
from benchmarks.servers import PROJECT, postgres
from server.maintenance import EmbedderIdentity
from server.memories.queries import SearchQuery
from server.memories.scope import Scope
from server.models.offline.embedder import OfflineEmbedder
from server.models.ports import EmbeddingPurpose
from server.runtime.composition.commands import migrate_database
from server.storage.postgres.pool import Database, PostgresOptions, open_database
from server.storage.postgres.schema import PostgresMaintenance
from server.storage.postgres.scope_indexes import MOST_BYTES, ScopeIndexes
from server.storage.postgres.search import ScopeSizes, Searches
from server.storage.postgres.vector_index import PostgresSearchIndexing

SIZES = (600, 10_000, 100_000)
MOST_HELD = 10_000
"""The size of the largest of these scopes that a server holds in memory."""

EXACT = 1_000_000_000
"""A size that no scope has, so that all of them are searched as small ones."""

INSERTED = 2_000
LOADING_SECONDS = 900.0


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the table; times in milliseconds."""

    table: int
    scope: int
    way: str
    p50: float
    p95: float
    recall: float


class Bench:
    """The database that is searched."""

    def __init__(self, database: Database, embedder: OfflineEmbedder, questions: int) -> None:
        self._database = database
        self._embedder = embedder
        self._questions = questions
        self._exact: dict[int, list[frozenset[UUID]]] = {}
        self.rows: list[Row] = []

    async def load(self, progress: Progress) -> None:
        """Fills the scopes."""
        task = progress.add_task("memories of the scopes", total=sum(SIZES))
        for size in SIZES:
            async for count in fill(self._database, self._embedder, PROJECT, scope_of(size), size):
                progress.advance(task, count)
        await self.analyze()

    async def analyze(self) -> None:
        """Vacuums the tables, as autovacuum would later."""
        async with self._database.connection() as connection:
            await connection.execute("VACUUM ANALYZE memories")

    async def measure(self, table: int, way: str, large: int, held_bytes: int = 0) -> None:
        """Searches each scope that can be searched by this method."""
        indexes = ScopeIndexes(self._database, held_bytes)
        searches = Searches(self._database, ScopeSizes(large), indexes)
        for size in SIZES:
            if (large < EXACT and size < large) or (held_bytes and size > MOST_HELD):
                continue
            chance = random.Random(size)
            found, times = [], []
            for number in range(-3, self._questions):
                asked = await self._query(size, question(chance))
                began = time.perf_counter()
                hits = await searches.search(asked)
                took = (time.perf_counter() - began) * 1000
                await indexes.finish()
                if number >= 0:
                    times.append(took)
                    found.append(frozenset(hit.id for hit in hits))
            best = self._exact.setdefault(size, found)
            share = sum(len(a & b) for a, b in zip(best, found, strict=True))
            self.rows.append(
                Row(
                    table,
                    size,
                    way,
                    statistics.median(times),
                    statistics.quantiles(times, n=20)[-1],
                    share / sum(map(len, best)),
                )
            )

    async def _query(self, size: int, text: str) -> SearchQuery:
        [vector] = await self._embedder.embed([text], EmbeddingPurpose.QUERY)
        return SearchQuery(PROJECT, scope_of(size), vector, 10, None, text=text)

    async def inserting(self) -> float:
        """Returns the milliseconds of a statement that inserts memories and is rolled back."""
        return await insert_some(self._database, INSERTED)

    async def crowd(self, progress: Progress, count: int) -> None:
        """Fills the table with memories of other users."""
        task = progress.add_task("memories of others", total=count)
        async for copied in copy_others(self._database, count):
            progress.advance(task, copied)
        await self.analyze()


def scope_of(size: int) -> Scope:
    """Returns the scope with this number of memories."""
    return Scope(user_id=f"user-of-{size}")


async def main() -> None:
    """Loads, measures and prints."""
    arguments = parse_arguments()
    folder = tempfile.TemporaryDirectory(prefix="memoir-bench-")
    embedder = OfflineEmbedder.load()
    settings = PostgresOptions(statement_timeout=LOADING_SECONDS)
    with folder as name, Progress(console=Console(stderr=True)) as progress:
        async with postgres(Path(name, "postgres")) as dsn:
            await migrate_database(dsn, lambda _step: None)
            async with open_database(dsn, settings) as database:
                await PostgresMaintenance(database).claim_embedder(
                    EmbedderIdentity(embedder.model, embedder.dimensions)
                )
                bench = Bench(database, embedder, arguments.questions)
                said = await run(bench, PostgresSearchIndexing(dsn), progress, arguments.table)
    print_table(bench.rows)
    print(said)


async def run(
    bench: Bench, indexing: PostgresSearchIndexing, progress: Progress, table: int
) -> str:
    """Runs all measurements; returns a description of the indexes."""
    await bench.load(progress)
    loaded = sum(SIZES)
    await bench.measure(loaded, "all compared", EXACT)
    await bench.measure(loaded, "candidates compared", SIZES[1])
    await bench.measure(loaded, "held in memory", EXACT, MOST_BYTES)
    without = await bench.inserting()
    with timed() as building:
        await indexing.build(1024)
    await bench.measure(loaded, "candidates, indexed", SIZES[-1])
    indexed = await bench.inserting()
    await indexing.drop()
    if table > loaded:
        await bench.crowd(progress, table - loaded)
        await bench.measure(table, "all compared", EXACT)
        await bench.measure(table, "candidates compared", SIZES[1])
        await bench.measure(table, "held in memory", EXACT, MOST_BYTES)
    return (
        f"indexes of {loaded:,} memories: built in {building[0]:.1f} s; inserting {INSERTED:,} "
        f"memories takes {without:,.0f} ms without them, {indexed:,.0f} ms with them"
    )


@contextmanager
def timed() -> Iterator[list[float]]:
    """Yields a list that holds the seconds of the block after its end."""
    seconds: list[float] = []
    began = time.perf_counter()
    yield seconds
    seconds.append(time.perf_counter() - began)


def print_table(rows: list[Row]) -> None:
    """Prints all measurements."""
    table = Table(
        "memories in the table", "in the scope", "method", "p50 ms", "p95 ms", "recall@10"
    )
    for row in rows:
        table.add_row(
            f"{row.table:,}",
            f"{row.scope:,}",
            row.way,
            f"{row.p50:.1f}",
            f"{row.p95:.1f}",
            f"{row.recall:.3f}",
        )
    Console().print(table)


def parse_arguments() -> argparse.Namespace:
    """Returns the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.search_scale", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument(
        "--table", type=int, default=1_000_000, help="memories in the table at the end"
    )
    parser.add_argument("--questions", type=int, default=40, help="questions a scope")
    return parser.parse_args()


if __name__ == "__main__":
    uvloop.run(main())
