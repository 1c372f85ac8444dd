"""The statements that docs/operations.md tells operators to run fit the schema."""

from __future__ import annotations

import re

import asyncpg
import pytest

from tests.support.server import ROOT

_BLOCK = re.compile(r"^```sql\n(.*?)^```$", re.MULTILINE | re.DOTALL)
STATEMENTS = _BLOCK.findall((ROOT / "docs/operations.md").read_text(encoding="utf-8"))


@pytest.mark.parametrize("statement", STATEMENTS)
async def test_a_documented_statement_can_be_planned(postgres_dsn: str, statement: str) -> None:
    connection = await asyncpg.connect(postgres_dsn)
    try:
        assert await connection.fetch(f"EXPLAIN {statement}")
    finally:
        await connection.close()


def test_there_are_documented_statements() -> None:
    assert STATEMENTS
