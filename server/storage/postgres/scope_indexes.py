"""The scopes whose items a server holds in memory; every search checks them against PostgreSQL.

The search's statement compares a digest of the scope with the index, and returns the items that
were added since (ADR 0054). Searches of small scopes that are ready at the same time share it.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from contextvars import Context
from datetime import date
from typing import TYPE_CHECKING, Final, TypeAlias

import structlog
from cachetools import LRUCache, TTLCache

from server.core.background import Background
from server.core.pacing import Pace
from server.core.request_context import enter_project
from server.memories.passages import Source
from server.memories.queries import SearchQuery
from server.memories.scope import Scope
from server.storage.postgres.candidates import Candidates
from server.storage.postgres.index_ranking import IndexRanking
from server.storage.postgres.scope_index import ScopeIndex
from server.storage.postgres.search_statements import (
    MOST_CHANGES,
    IndexCheck,
    check_statement,
    list_statement,
    read_statement,
)
from server.storage.postgres.shared_statements import SharedStatements

if TYPE_CHECKING:
    from server.storage.postgres.pool import Connection, Database
    from server.storage.postgres.rows import Row

MOST_BYTES: Final = 256 * 1024 * 1024
"""The approximate maximum size of all indexes of a server."""

MOST_VECTOR_BYTES: Final = 32 * 1024 * 1024
"""The maximum size of the vectors of a scope. Comparing more would block other calls."""

MOST_SHARED: Final = 1_000
"""The maximum number of items in a scope that is checked together with others.

Checking more takes so long that other searches would wait for it.
"""

IDLE_SECONDS: Final = 60.0
"""A scope that was not searched for this long may be evicted for another.

Reading a scope costs as much as several searches by statement, so it must not be evicted at once.
"""

_FREE_BELOW: Final = 0.75
"""The share of all bytes up to which a scope is read into memory even if all others are in use."""

MOST_DURING_LOAD: Final = 2
"""How many searches of a scope may run by statement while the scope is loaded.

More of them would delay the load, after which each search costs a fraction.
"""

LOAD_WAIT_SECONDS: Final = 2.0
"""The maximum time that a search waits until its scope is loaded."""

_REFUSED_SECONDS: Final = 600.0
_MOST_SEEN: Final = 10_000
_ATTEMPTS: Final = 3
_ROWS_PER_STEP: Final = 10
_MAX_READ: Final = 2**31

IndexKey: TypeAlias = tuple[str, Scope, frozenset[Source]]

log = structlog.get_logger()


class HeldScope:
    """The index of a scope, and the values that its searches of one day share."""

    def __init__(self, dimensions: int) -> None:
        self.index = ScopeIndex(dimensions)
        self.counted_bytes = 0
        self.last_search = 0.0
        self.refreshing = asyncio.Lock()
        self._ranking: IndexRanking | None = None
        self._ranked: tuple[int, date | None] | None = None

    def ranking(self, day: date | None) -> IndexRanking:
        """Returns what ranks the items that are visible on the day; None shows all."""
        wanted = self.index.changes, day
        if self._ranking is None or self._ranked != wanted:
            self._ranking, self._ranked = IndexRanking(self.index, day), wanted
        return self._ranking


class _Load:
    """A scope that is being read into memory, and the number of its searches meanwhile."""

    def __init__(self, key: IndexKey) -> None:
        self.key = key
        self.ended = asyncio.Event()
        self.searches = 0


class ScopeIndexes:
    """Holds the scopes that were recently searched at least twice, up to a number of bytes."""

    def __init__(
        self,
        database: Database,
        most_bytes: int = MOST_BYTES,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self.most_bytes = most_bytes
        self._monotonic = monotonic
        # The least recently searched scope comes first.
        self._held: OrderedDict[IndexKey, HeldScope] = OrderedDict()
        self._bytes = 0
        self._seen: LRUCache[IndexKey, bool] = LRUCache(_MOST_SEEN)
        self._refused: TTLCache[IndexKey, bool] = TTLCache(_MOST_SEEN, _REFUSED_SECONDS, monotonic)
        self._loading: set[IndexKey] = set()
        self._loads = Background("scope-index")
        self._checks = SharedStatements("scope-checks", self._check)
        self._load_lock = asyncio.Lock()
        self._current_load: _Load | None = None
        self._pace = Pace()

    async def rank(self, query: SearchQuery) -> Candidates | None:
        """Returns the candidates of a search; None if the scope is not held."""
        key = _key_of(query)
        held = self._held.get(key)
        if held is None or held.index.dimensions != len(query.vector):
            return None
        self._held.move_to_end(key)
        held.last_search = self._monotonic()
        before = held.index.changes
        words = await self._bring_up_to_date(query, held)
        if words is None:
            self._drop(key)
            return None
        if held.index.changes != before:
            self._hold(key, held)
        return held.ranking(query.visible_on).rank(query, *words)

    @asynccontextmanager
    async def limited_during_load(self, query: SearchQuery) -> AsyncIterator[None]:
        """Runs a search in its block; waits first if its scope is being loaded and others run."""
        load = self._current_load
        if load is None or load.key != _key_of(query):
            yield
            return
        if load.searches >= MOST_DURING_LOAD:
            with suppress(TimeoutError):
                async with asyncio.timeout(LOAD_WAIT_SECONDS):
                    await load.ended.wait()
        load.searches += 1
        try:
            yield
        finally:
            load.searches -= 1

    def note(self, query: SearchQuery, items: float) -> None:
        """Records that a scope with this many items was searched by statement.

        The second time, the scope is read into memory in the background.
        """
        key = _key_of(query)
        if key in self._refused or not self._fits(items, len(query.vector)):
            return
        if not self._seen.get(key):
            self._seen[key] = True
        elif key not in self._loading and self._has_room():
            self._loading.add(key)
            self._loads.start(
                self._load(query),
                # The load is not part of the call and outlives it.
                context=Context(),
                on_end=lambda: self._loading.discard(key),
            )

    async def finish(self) -> None:
        """Waits until all scopes that are being read into memory are held."""
        await self._loads.finish()

    async def _check(self, checks: Sequence[IndexCheck]) -> list[list[Row]]:
        """Returns the rows of each check."""
        answers: list[list[Row]] = [[] for _ in checks]
        for row in await self._database.fetch(check_statement(checks)):
            answers[row["number"] - 1].append(row)
        return answers

    async def _bring_up_to_date(
        self, query: SearchQuery, held: HeldScope
    ) -> tuple[bytes, Sequence[bytes]] | None:
        """Makes the index equal to the scope, and returns the words of question and meanings.

        Returns None if too much has changed.
        """
        index = held.index
        for _ in range(_ATTEMPTS):
            before = index.changes
            check = IndexCheck(query, index)
            if len(index) <= MOST_SHARED:
                rows = await self._checks.answer(check.group, check)
            else:
                rows = await self._checks.answer_alone(check)
            is_unchanged = index.changes == before
            index.put(_items_of(rows))
            words = rows[0]["question"], rows[0]["meanings"]
            if index.digest == rows[0]["digest"]:
                return words
            # If another search has changed the index meanwhile, the digest is of an earlier state.
            if is_unchanged:
                async with held.refreshing, self._database.connection() as connection:
                    return words if await _refresh(connection, query, index) else None
        return None

    async def _load(self, query: SearchQuery) -> None:
        enter_project(query.project_id)
        async with self._load_lock:
            self._current_load = _Load(_key_of(query))
            try:
                self._hold(self._current_load.key, await self._read(query))
            except Exception as error:  # noqa: BLE001 - searches can use the statement
                log.warning("scope_index.not_read", error=type(error).__name__)
            finally:
                self._current_load.ended.set()
                self._current_load = None

    async def _read(self, query: SearchQuery) -> HeldScope:
        held = HeldScope(len(query.vector))
        held.last_search = self._monotonic()
        check = IndexCheck(query, held.index, most=_MAX_READ)
        rows = _items_of(await self._checks.answer_alone(check))
        for start in range(0, len(rows), _ROWS_PER_STEP):
            # Lets other calls continue.
            await self._pace.step()
            held.index.put(rows[start : start + _ROWS_PER_STEP])
        return held

    def _hold(self, key: IndexKey, held: HeldScope) -> None:
        """Counts the bytes of a scope, and evicts others if necessary."""
        self._drop(key)
        index = held.index
        if not self._fits(len(index), index.dimensions) or index.byte_size > self.most_bytes:
            self._refused[key] = True
            return
        held.counted_bytes = index.byte_size
        self._held[key] = held
        self._bytes += held.counted_bytes
        while self._bytes > self.most_bytes:
            self._drop(next(iter(self._held)))

    def _drop(self, key: IndexKey) -> None:
        held = self._held.pop(key, None)
        if held is not None:
            self._bytes -= held.counted_bytes

    def _fits(self, items: float, dimensions: int) -> bool:
        most = min(MOST_VECTOR_BYTES, self.most_bytes // 4)
        return 4 * items * dimensions <= most

    def _has_room(self) -> bool:
        """Whether a scope can be held without evicting a scope that is in use."""
        if self._bytes < self.most_bytes * _FREE_BELOW or not self._held:
            return True
        oldest = next(iter(self._held.values()))
        return self._monotonic() - oldest.last_search >= IDLE_SECONDS


async def _refresh(connection: Connection, query: SearchQuery, index: ScopeIndex) -> bool:
    """Makes the index equal to a list of the scope. Returns whether that was worth it."""
    listed = await connection.fetch(*list_statement(query))
    missing = index.keep_only({row["memory_id"]: row["stamp"] for row in listed})
    if len(missing) > MOST_CHANGES or index.size > 2 * len(index) + MOST_CHANGES:
        return False
    if missing:
        index.put(await connection.fetch(*read_statement(query, missing)))
    return True


def _key_of(query: SearchQuery) -> IndexKey:
    return query.project_id, query.scope, query.sources


def _items_of(rows: Sequence[Row]) -> Sequence[Row]:
    """Returns the rows of `check_scopes` that have items; without new items its row has none."""
    return () if rows[0]["memory_id"] is None else rows
