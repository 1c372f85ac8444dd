"""The statements as PostgreSQL receives them, so that reviews show every change."""

from __future__ import annotations

import re

from server.storage.statements import statement_name
from tests.support.rendered_statements import GOLDEN, golden_texts, slotted, sql_files


def test_the_golden_files_equal_the_statements() -> None:
    stored = {file.name: file.read_text(encoding="utf-8") for file in GOLDEN.glob("*.sql")}
    rendered = golden_texts()
    changed = sorted(
        name for name in stored.keys() | rendered.keys() if stored.get(name) != rendered.get(name)
    )
    assert not changed, "run `make golden` and review the difference"


def test_every_statement_with_slots_has_a_golden_file() -> None:
    rendered = {statement_name(text) for text in golden_texts().values()}
    assert slotted(sql_files()) <= rendered


def test_rendered_statements_have_only_numbered_parameters() -> None:
    for name, text in golden_texts().items():
        without_literals = re.sub(r"'[^']*'", "''", text)
        assert not re.search(r"(?<!:):[a-z]|\{", without_literals), name
