"""The loader of named Cypher statements."""

from __future__ import annotations

import operator
from collections.abc import MutableMapping
from pathlib import Path
from typing import cast

import pytest

from server.storage.statements import load_cypher, statement_name

PACKAGE = "invented_statements"


def test_blocks_are_found_by_name_in_file_order(folder: Path) -> None:
    (folder / "a.cypher").write_text(
        "// Header.\n\n// name: second\nRETURN 2\n\n// name:first\n  // why\nRETURN 1;\n"
    )
    statements = load_cypher(PACKAGE, "a.cypher")
    assert dict(statements) == {
        "second": "// name: second\nRETURN 2",
        "first": "// name: first\n// why\nRETURN 1;",
    }
    assert list(statements) == ["second", "first"]


def test_an_unknown_name_reports_the_file_and_the_known_names(folder: Path) -> None:
    (folder / "a.cypher").write_text("// name: b\nRETURN 1\n// name: a\nRETURN 2\n")
    statements = load_cypher(PACKAGE, "a.cypher")
    with pytest.raises(KeyError, match=r"invented_statements/a\.cypher.*'c'.*\['a', 'b'\]"):
        statements["c"]
    assert "c" not in statements
    assert len(statements) == 2


def test_statements_cannot_be_changed(folder: Path) -> None:
    (folder / "a.cypher").write_text("// name: a\nRETURN 1\n")
    statements = load_cypher(PACKAGE, "a.cypher")
    assert not isinstance(statements, MutableMapping)
    with pytest.raises(TypeError):
        operator.setitem(cast("dict[str, str]", statements), "a", "DROP")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("// name: a\nRETURN 1\n// name: a\nRETURN 2\n", "twice"),
        ("// name:\nRETURN 1\n", "is not a name"),
        ("// name: a b\nRETURN 1\n", "is not a name"),
        ("// name: a\n// only a comment\n\n// name: b\nRETURN 1\n", "'a' is empty"),
        ("RETURN 0;\n// name: a\nRETURN 1\n", "before the first name"),
    ],
)
def test_malformed_files_are_refused(folder: Path, text: str, problem: str) -> None:
    (folder / "a.cypher").write_text(text)
    with pytest.raises(ValueError, match=problem):
        load_cypher(PACKAGE, "a.cypher")


def test_a_missing_file_is_an_error(folder: Path) -> None:
    with pytest.raises(FileNotFoundError):
        load_cypher(PACKAGE, "none.cypher")


@pytest.mark.parametrize(
    ("statement", "name"),
    [
        ("-- name: record_calls\nSELECT 1", "record_calls"),
        ("// name: recall\nMATCH (n) RETURN n", "recall"),
        ("COMMIT;", "COMMIT"),
        ("SELECT 'a text'", "SELECT"),
        ("", ""),
    ],
)
def test_a_statement_knows_its_name(statement: str, name: str) -> None:
    assert statement_name(statement) == name
