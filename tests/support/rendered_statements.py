"""Every SQL statement as PostgreSQL gets it, with representative text in its slots.

`make golden` writes them to `GOLDEN`; a test compares them, and reviews show their changes.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Final
from uuid import UUID

from server.memories.changes import Call
from server.memories.filters.parser import parse_filter
from server.memories.memory import ListCursor, ListOrder
from server.memories.passages import EVERY_SOURCE, Source
from server.memories.queries import ListQuery, SearchQuery
from server.memories.scope import Scope, ScopeKind
from server.storage import postgres
from server.storage.postgres import (
    erasing,
    memory_store,
    search_statements,
)
from server.storage.postgres.erasing import CHANGES
from server.storage.postgres.erasing import SQL as ERASE
from server.storage.postgres.filters import filter_condition, scope_condition
from server.storage.postgres.memory_history import STREAM_SQL as EVENTS
from server.storage.postgres.projects import DELETION_SQL
from server.storage.postgres.recall import SQL as RECALL
from server.storage.postgres.record_calls import RECORD_INFERRED, RECORD_VERBATIM
from server.storage.postgres.scope_index import ScopeIndex
from server.storage.postgres.statements import PACKAGE, SqlFile, SqlStatement
from server.storage.postgres.vector_index import SQL as INDEX
from server.storage.postgres.vector_index import cast_to

GOLDEN: Final = Path(__file__).parents[1] / "unit/storage/postgres/golden"

_NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
_ALICE = Scope(user_id="alice")
_RUN = Scope(user_id="alice", run_id="run-7")
_FILTER = parse_filter(
    {
        "AND": [
            {"metadata.ticket": 7},
            {"OR": [{"categories": {"contains": "food"}}, {"text": {"icontains": "tea"}}]},
            {"NOT": [{"create_time": {"gte": "2026-01-01"}}]},
        ]
    }
)
_CALL = Call(UUID(int=1), "project-1", _ALICE, "DeleteMemories", _NOW, "request-7", "test/model")


def sql_files() -> dict[str, SqlFile]:
    """Returns the files of statements by name, as the modules of the adapter load them."""
    found = {}
    for module in iter_modules(postgres.__path__):
        for value in vars(import_module(f"{PACKAGE}.{module.name}")).values():
            if isinstance(value, SqlFile):
                found[value.file] = value
    return found


def golden_texts() -> dict[str, str]:
    """Returns the required content of each golden file, by its name."""
    texts = {
        name: "\n\n".join(statement.text for statement in file.values() if not statement.slots)
        for name, file in sql_files().items()
    }
    texts |= {f"{name}.sql": text for name, text in _with_slots()}
    return {name: f"{text}\n" for name, text in texts.items() if text}


def _with_slots() -> Iterator[tuple[str, str]]:
    yield "record_calls_verbatim", RECORD_VERBATIM.text
    yield "record_calls_inferred", RECORD_INFERRED.text
    yield from _searches()
    yield from _lists()
    scope, filters = scope_condition(_RUN).text, filter_condition(_FILTER).text
    yield "delete_memories", erasing.deletion_statement(_CALL, _FILTER)[0]
    for name in ("erase_matching_passages", "lock_matching"):
        yield name, ERASE[name].fill(scope=scope, filters=filters).text
    yield "erase_scope", erasing.erasure_statement(_CALL, ScopeKind.USER, "alice")[0]
    for name in ("list_scopes", "lock_operations", "lock_scope", "lock_passages"):
        yield name, CHANGES[name].fill(column=ScopeKind.USER).text
    for name in ("recall", "spaces", "memories_with_aliases"):
        yield f"recall_{name}", RECALL[name].fill(scope=scope).text
    yield "event_page", EVENTS["page"].fill(scope=scope).text
    for name in ("count", "delete_rows"):
        yield f"project_{name}", DELETION_SQL[name].fill(table="messages").text
    for name in ("create_lexemes", "drop"):
        yield f"index_{name}", INDEX[name].fill(name="memories_x").text
    yield "index_create", INDEX["create"].fill(name="memories_x", cast=cast_to(256)).text


def _searches() -> Iterator[tuple[str, str]]:
    yield "rank_of_user", search_statements.rank_statement(_search(_ALICE))[0]
    yield "rank_with_filter", search_statements.rank_statement(_search(_RUN, is_filtered=True))[0]
    latest = search_statements.rank_statement(_search(_ALICE, latest_at=_NOW))
    yield "rank_of_latest", latest[0]
    yield "rank_of_past", search_statements.rank_statement(_search(_RUN, time=_NOW))[0]
    memories = _search(_ALICE, sources=frozenset({Source.MEMORIES}))
    yield "rank_of_memories", search_statements.rank_statement(memories)[0]
    size = search_statements.ScopeSize(10_000, 80.0)
    yield "rank_large", search_statements.rank_large_statement(_search(_ALICE), size)[0]
    cast = cast_to(256)
    by_index = search_statements.rank_large_statement(_search(_ALICE), size, cast)
    yield "rank_large_by_index", by_index[0]
    index = ScopeIndex(dimensions=1)
    check = search_statements.IndexCheck(_search(_ALICE), index)
    yield "scope_index_check", search_statements.check_statement([check])[0]
    yield "scope_index_list", search_statements.list_statement(memories)[0]
    yield "scope_index_read", search_statements.read_statement(_search(_RUN), [])[0]


def _search(
    scope: Scope,
    *,
    is_filtered: bool = False,
    time: datetime | None = None,
    latest_at: datetime | None = None,
    sources: frozenset[Source] = EVERY_SOURCE,
) -> SearchQuery:
    return SearchQuery(
        "project-1",
        scope,
        array("f", [1.0]),
        10,
        _NOW.date(),
        filters=_FILTER if is_filtered else None,
        text="tea",
        time=time,
        latest_at=latest_at,
        sources=sources,
    )


def _lists() -> Iterator[tuple[str, str]]:
    after = ListCursor(_NOW, UUID(int=1))
    for order in ListOrder:
        query = ListQuery("project-1", _RUN, 10, order, _NOW.date(), after, _FILTER)
        yield f"list_{order.name.lower()}", memory_store.list_statement(query)[0]
        past = replace(query, time=_NOW)
        yield f"list_at_{order.name.lower()}", memory_store.list_statement(past)[0]


def slotted(files: dict[str, SqlFile]) -> set[str]:
    """Returns the statements with slots."""
    statements: list[SqlStatement] = [s for file in files.values() for s in file.values()]
    return {statement.name for statement in statements if statement.slots}


def main() -> None:
    """Rewrites the golden files, and removes those of deleted statements."""
    GOLDEN.mkdir(exist_ok=True)
    for stale in GOLDEN.glob("*.sql"):
        stale.unlink()
    for name, text in golden_texts().items():
        (GOLDEN / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
