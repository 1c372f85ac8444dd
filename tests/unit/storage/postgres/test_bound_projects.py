"""Every statement binds the project it works on, or is listed here with the reason why not.

So the schema can be distributed by project (docs/scale.md), and no statement can read or change
the data of another project.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import pytest

from tests.support.rendered_statements import golden_texts, slotted, sql_files

_STORE = "concerns the whole store, and reads or writes no data of a project"
_QUEUE = "claims work of any project from a queue, with the project of each row"
_MAINTENANCE = "maintenance of all projects by the server itself, with the project of each row"
_ADMIN = "only for operators, on the command line"

# A file name means all its statements.
EXCEPTIONS: Mapping[str, str] = {
    "readiness.sql": _STORE,
    "presence.sql": _STORE,
    "connections.sql": _STORE,
    "token_key.sql": _STORE,
    "vector_index.sql": _STORE,
    "reembedding.sql": _MAINTENANCE,
    "mem0.sql/statements": "reads the tables of another system, which has no projects",
    "audit.sql/latest_of_all": _ADMIN,
    "archive.sql/advance": "advances the sequence of all projects",
    "event_stream.sql/horizon": "reads which transactions are open, in all projects",
    "operations.sql/claim": _QUEUE,
    "operations.sql/prune": _MAINTENANCE,
    "operations.sql/release_request_ids": _MAINTENANCE,
    "outbox.sql/claim": _QUEUE,
    "outbox.sql/begin_day": _MAINTENANCE,
    "outbox.sql/unprocessed_changes": "measures how far the projection of all projects is behind",
    "outbox.sql/projects": _ADMIN,
    "retention.sql/try_alone": _STORE,
    "retention.sql/purge_passages": _MAINTENANCE,
    "retention.sql/lock_expired": _MAINTENANCE,
    "retention.sql/find_deleted": _MAINTENANCE,
    "project_deletion.sql/tables": "lists the tables",
    "subgraphs.sql/insert_changes": "each row of the bound JSON contains its project",
    "projects.sql/find_principal": "finds the project of a key",
    "projects.sql/list_projects": _ADMIN,
    "projects.sql/list_keys": _ADMIN,
    "projects.sql/revoke_key": _ADMIN,
    "projects.sql/record_uses": "records when keys of all projects were last used",
}
BOUND = {"project_id", "project_ids"}


def unbound() -> set[str]:
    """Returns the statements without a parameter for the project, as `file/name`."""
    return {
        f"{file}/{statement.name}"
        for file, statements in sql_files().items()
        for statement in statements.values()
        # The project of a search is in a slot, which is filled in the golden files.
        if not BOUND & set(statement.parameters) and "project" not in statement.slots
    }


def test_every_statement_binds_its_project() -> None:
    missing = {
        name
        for name in unbound()
        if name not in EXCEPTIONS and name.partition("/")[0] not in EXCEPTIONS
    }
    assert not missing, "bind project_id, or list the statement with its reason"


def test_every_exception_is_still_needed() -> None:
    names = unbound()
    files = {name.partition("/")[0] for name in names}
    assert EXCEPTIONS.keys() <= names | files


SEARCHES = [name for name in golden_texts() if name.startswith(("rank_", "scope_index_"))]


@pytest.mark.parametrize("name", SEARCHES)
def test_every_search_binds_its_project(name: str) -> None:
    assert re.search(r"\bproject_id = (\(SELECT )?\$\d+", golden_texts()[name])


def test_only_searches_have_a_slot_for_the_project() -> None:
    with_project = {
        statement.name
        for statements in sql_files().values()
        for statement in statements.values()
        if "project" in statement.slots
    }
    assert with_project <= slotted(sql_files())
    of_indexes = {"check_scopes", "list_scope_items", "read_scope_items"}
    assert with_project <= {"rank", "rank_large", *of_indexes}
