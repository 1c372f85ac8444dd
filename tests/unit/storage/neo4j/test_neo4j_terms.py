"""Terms of names in the fulltext index."""

from __future__ import annotations

import re

import pytest

from server.graph.model import words_of
from server.storage.neo4j.terms import alias_term, entity_terms, term_prefix, terms_query


def test_every_word_belongs_to_one_project_and_space() -> None:
    prefix = term_prefix("p", "user:alice")
    assert entity_terms("p", "user:alice", "Jean-Luc O'Brien", ()) == " ".join(
        prefix + word for word in ("jean", "luc", "o", "brien")
    )
    assert len({term_prefix(*names) for names in (("p", "ab"), ("pa", "b"), ("p", "b"))}) == 3


def test_an_alias_is_indexed_by_words_and_as_a_whole() -> None:
    terms = entity_terms("p", "user:alice", "Robert Smith", ("Bob S.",)).split()
    assert alias_term("p", "user:alice", "  BOB s.") in terms
    assert term_prefix("p", "user:alice") + "bob" in terms
    assert alias_term("p", "user:alice", "Robert Smith") not in terms


@pytest.mark.parametrize("text", ['a" OR *:*', "x) AND (y", "~*?\\/", "[1 TO 2]^9", "&& || !"])
def test_a_query_contains_no_syntax_from_the_client(text: str) -> None:
    words = words_of(text) or ["none"]
    query = terms_query("p", "user:alice", words)
    prefix = term_prefix("p", "user:alice")
    ours = re.sub(rf"{prefix}\w+(\^\d|\*\^\d|~\d)?", "", query)
    assert set(ours) <= set("+() OR")


def test_a_query_of_many_words_stays_within_the_limit_of_lucene() -> None:
    query = terms_query("p", "user:alice", [f"word{n}" for n in range(512)])
    assert 0 < query.count("^8") * 3 <= 900
