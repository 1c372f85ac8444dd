"""Statements for Neo4j have one parameter, so that each needs only one plan."""

from __future__ import annotations

import re
from importlib import resources

import pytest

PACKAGE = resources.files("server.storage.neo4j")
FILES = [file.name for file in PACKAGE.iterdir() if file.name.endswith(".cypher")]


@pytest.mark.parametrize("name", FILES)
def test_all_values_of_a_statement_are_in_one_map(name: str) -> None:
    text = (PACKAGE / name).read_text(encoding="utf-8")
    assert set(re.findall(r"\$(\w+)", text)) <= {"given"}
