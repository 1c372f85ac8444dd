"""SQL files: named parameters, blocks and slots."""

from __future__ import annotations

from pathlib import Path

import pytest

from server.storage.postgres.statements import SqlFile, fill_block, load_sql

PACKAGE = "invented_statements"


def loaded(folder: Path, text: str, **shared: str) -> SqlFile:
    (folder / "a.sql").write_text(text)
    for name, block in shared.items():
        (folder / f"{name}.sql").write_text(block)
    return load_sql("a.sql", *(f"{name}.sql" for name in shared), package=PACKAGE)


def test_parameters_are_numbered_by_their_first_use_and_bound_by_name(folder: Path) -> None:
    statement = loaded(folder, "-- name: read\nSELECT :b, :a::date, :b\n")["read"]
    assert statement.parameters == ("b", "a")
    assert statement(a=1, b=2) == ("-- name: read\nSELECT $1, $2::date, $1", 2, 1)


@pytest.mark.parametrize("count", [0, 1, 2])
def test_any_number_of_parameters_is_bound(folder: Path, count: int) -> None:
    names = [f"p{number}" for number in range(count)]
    selected = ", ".join(f":{name}" for name in names) or "1"
    statement = loaded(folder, f"-- name: read\nSELECT {selected}\n")["read"]
    assert statement(**dict.fromkeys(names, 7))[1:] == (7,) * count


def test_text_that_only_looks_like_a_parameter_or_block_is_unchanged(folder: Path) -> None:
    text = """SELECT ':a {b}', E'\\':a', 'it''s :a', ":a", x::text, y[1:2] FROM t"""
    statement = loaded(folder, f"-- name: read\n{text}\n")["read"]
    assert statement() == (f"-- name: read\n{text}",)


def test_comments_are_removed(folder: Path) -> None:
    text = "-- name: read\n-- The user's :a.\nSELECT 1, -- {b}\n\n    -- and\n    '--' AS dashes\n"
    statement = loaded(folder, text)["read"]
    assert statement.text == "-- name: read\nSELECT 1,\n    '--' AS dashes"


def test_blocks_are_inserted_recursively(folder: Path) -> None:
    file = loaded(
        folder,
        "-- name: read\nSELECT {columns} FROM t WHERE {mine}\n-- block: mine\n{visible} AND :x\n",
        shared="-- block: columns\na, b\n-- block: visible\nday >= :day\n",
    )
    assert file["read"](day=1, x=2)[0].endswith("SELECT a, b FROM t WHERE day >= $1 AND $2")
    assert file.blocks["mine"] == "day >= :day AND :x"


def test_a_slot_takes_text_with_parameters(folder: Path) -> None:
    statement = loaded(folder, "-- name: read (scope)\nSELECT :a WHERE {scope}\n")["read"]
    filled = statement.fill(scope="user_id = :scope_user_id")
    assert filled(a=1, scope_user_id="u")[1:] == (1, "u")
    assert filled.text.endswith("SELECT $1 WHERE user_id = $2")
    assert statement.fill(scope="user_id = :scope_user_id") is filled
    assert fill_block("{scope} AND {more}", scope="true") == "true AND {more}"


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"a": 1}, r"missing values \['b'\]"),
        ({"a": 1, "b": 2, "c": 3}, r"unknown ones \['c'\]"),
        ({"a": 1, "c": 3}, r"missing values \['b'\], unknown ones \['c'\]"),
    ],
)
def test_values_and_parameters_must_agree(
    folder: Path, values: dict[str, object], problem: str
) -> None:
    statement = loaded(folder, "-- name: read\nSELECT :a, :b\n")["read"]
    with pytest.raises(TypeError, match=problem):
        statement(**values)


def test_exactly_the_slots_must_be_filled(folder: Path) -> None:
    statement = loaded(folder, "-- name: read (scope)\nSELECT 1 WHERE {scope}\n")["read"]
    with pytest.raises(TypeError, match=r"open slots: \['scope'\]"):
        statement()
    with pytest.raises(TypeError, match=r"has the slots \['scope'\], not \['page', 'scope'\]"):
        statement.fill(scope="true", page="true")
    with pytest.raises(TypeError, match=r"still has open slots: \['filters'\]"):
        statement.fill(scope="{filters}")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("-- name: a\nSELECT $1\n", r"\$1 in place of a named parameter"),
        ("-- name: a\nSELECT {scope}\n", r"lists the slots \[\] and has \['scope'\]"),
        ("-- name: a (scope)\nSELECT 1\n", r"lists the slots \['scope'\] and has \[\]"),
        ("-- name: a\n{b}\n-- block: b\n{c}\n-- block: c\n{b}\n", "contains itself"),
        ("-- name: a\nSELECT 1\n-- name: a\nSELECT 2\n", "twice"),
        ("-- name: a b\nSELECT 1\n", "is not a name"),
        ("-- name: a\n-- only a comment\n-- block: b\nx\n", "'a' is empty"),
        ("SELECT 0;\n-- name: a\nSELECT 1\n", "before the first name"),
    ],
)
def test_malformed_files_are_refused(folder: Path, text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        loaded(folder, text)


def test_a_block_is_defined_once(folder: Path) -> None:
    with pytest.raises(ValueError, match=r"\['b'\] is also a block"):
        loaded(folder, "-- block: b\nx\n", shared="-- block: b\ny\n")


def test_an_unknown_name_lists_the_statements_of_the_file(folder: Path) -> None:
    file = loaded(folder, "-- name: b\nSELECT 1\n-- name: a\nSELECT 2\n")
    assert list(file) == ["b", "a"]
    with pytest.raises(KeyError, match=r"a\.sql.*'c'.*\['a', 'b'\]"):
        file["c"]
