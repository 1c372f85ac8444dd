"""Statements for Neo4j have one parameter, so that each has one plan whatever it is given."""

from __future__ import annotations

import re
from importlib import resources

import pytest

PACKAGE = resources.files("server.storage.neo4j")
FILES = [file.name for file in PACKAGE.iterdir() if file.name.endswith(".cypher")]


@pytest.mark.parametrize("name", FILES)
def test_all_that_a_statement_is_given_is_in_one_map(name: str) -> None:
    text = (PACKAGE / name).read_text(encoding="utf-8")
    assert set(re.findall(r"\$(\w+)", text)) <= {"given"}
