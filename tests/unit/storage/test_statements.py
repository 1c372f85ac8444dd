"""The loader of named statements."""

from __future__ import annotations

import operator
import sys
from collections.abc import MutableMapping
from pathlib import Path
from typing import cast

import pytest

from server.storage.statements import load_statements, statement_name

PACKAGE = "made_up_statements"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    package = tmp_path / PACKAGE
    package.mkdir()
    (package / "__init__.py").touch()
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, PACKAGE, raising=False)
    return package


def test_blocks_are_found_by_name_in_file_order(folder: Path) -> None:
    (folder / "a.sql").write_text(
        "-- Header.\n\n-- name: second\nSELECT 2\n\n-- name:first\n  -- why\nSELECT 1;\n"
    )
    statements = load_statements(PACKAGE, "a.sql")
    assert dict(statements) == {
        "second": "-- name: second\nSELECT 2",
        "first": "-- name: first\n-- why\nSELECT 1;",
    }
    assert list(statements) == ["second", "first"]


def test_a_block_stands_where_its_name_does_in_braces(folder: Path) -> None:
    (folder / "shared.sql").write_text("-- name: columns\na, b\n")
    (folder / "a.sql").write_text("-- name: read\nSELECT {columns} FROM {table}\n{columns}\n")
    blocks = load_statements(PACKAGE, "shared.sql")
    columns = "-- name: columns\na, b"
    assert dict(load_statements(PACKAGE, "a.sql", blocks=blocks)) == {
        "read": f"-- name: read\nSELECT {columns} FROM {{table}}\n{columns}"
    }


def test_cypher_has_its_own_comment_mark(folder: Path) -> None:
    (folder / "a.cypher").write_text("// name: one\nRETURN '-- name: two'\n")
    assert dict(load_statements(PACKAGE, "a.cypher", comment="//")) == {
        "one": "// name: one\nRETURN '-- name: two'"
    }


def test_unknown_name_is_answered_with_the_file_and_the_known_names(folder: Path) -> None:
    (folder / "a.sql").write_text("-- name: b\nSELECT 1\n-- name: a\nSELECT 2\n")
    statements = load_statements(PACKAGE, "a.sql")
    with pytest.raises(KeyError, match=r"made_up_statements/a\.sql.*'c'.*\['a', 'b'\]"):
        statements["c"]
    assert "c" not in statements
    assert len(statements) == 2


def test_statements_cannot_be_changed(folder: Path) -> None:
    (folder / "a.sql").write_text("-- name: a\nSELECT 1\n")
    statements = load_statements(PACKAGE, "a.sql")
    assert not isinstance(statements, MutableMapping)
    with pytest.raises(TypeError):
        operator.setitem(cast("dict[str, str]", statements), "a", "DROP")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("-- name: a\nSELECT 1\n-- name: a\nSELECT 2\n", "twice"),
        ("-- name:\nSELECT 1\n", "is not a name"),
        ("-- name: a b\nSELECT 1\n", "is not a name"),
        ("-- name: a\n-- only a comment\n\n-- name: b\nSELECT 1\n", "'a' is empty"),
        ("SELECT 0;\n-- name: a\nSELECT 1\n", "before the first name"),
    ],
)
def test_malformed_files_are_refused(folder: Path, text: str, problem: str) -> None:
    (folder / "a.sql").write_text(text)
    with pytest.raises(ValueError, match=problem):
        load_statements(PACKAGE, "a.sql")


def test_missing_file_is_an_error(folder: Path) -> None:
    with pytest.raises(FileNotFoundError):
        load_statements(PACKAGE, "none.sql")


@pytest.mark.parametrize(
    ("statement", "name"),
    [
        ("-- name: record_call\n-- why\nSELECT 1", "record_call"),
        ("// name: recall\nMATCH (n) RETURN n", "recall"),
        ("COMMIT;", "COMMIT"),
        ("SELECT 'a text'", "SELECT"),
        ("", ""),
    ],
)
def test_a_statement_tells_its_name(statement: str, name: str) -> None:
    assert statement_name(statement) == name
