"""Vectors are checked and normalised."""

from __future__ import annotations

import math
from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.models.gemini.embedder import InvalidEmbeddings, mean_direction, unit_vectors

numbers = st.floats(min_value=-1e6, max_value=1e6).filter(lambda x: x == 0 or abs(x) > 1e-6)
rows = st.lists(
    st.lists(numbers, min_size=8, max_size=8).filter(any),
    min_size=1,
    max_size=5,
)


@given(rows)
def test_every_vector_has_length_one_and_the_direction_of_its_row(rows: list[list[float]]) -> None:
    vectors = unit_vectors(rows, count=len(rows), dimensions=8)

    for vector, row in zip(vectors, rows, strict=True):
        assert vector.typecode == "f"
        assert math.hypot(*vector) == pytest.approx(1.0, abs=1e-5)
        norm = math.hypot(*row)
        assert list(vector) == pytest.approx([value / norm for value in row], abs=1e-6)


def test_no_rows_give_no_vectors() -> None:
    assert unit_vectors([], count=0, dimensions=8) == []


def test_a_known_vector_is_normalised() -> None:
    assert unit_vectors([[3.0, 4.0]], count=1, dimensions=2) == [array("f", [0.6, 0.8])]


@pytest.mark.parametrize(
    ("rows", "problem"),
    [
        ([[1.0, 0.0]], "1 embeddings for 2 texts"),
        ([[1.0, 0.0], [1.0, 0.0], [1.0, 0.0]], "3 embeddings for 2 texts"),
        ([[1.0, 0.0], [1.0]], r"embeddings of \[1\] dimensions, not 2"),
        ([[], []], r"embeddings of \[0\] dimensions, not 2"),
        ([[1.0, 0.0], [math.nan, 0.0]], "not finite"),
        ([[1.0, 0.0], [math.inf, 0.0]], "not finite"),
        ([[1.0, 0.0], [1e300, 1e300]], "not finite"),
        ([[1.0, 0.0], [0.0, 0.0]], "zeros"),
    ],
)
def test_unusable_vectors_are_refused(rows: list[list[float]], problem: str) -> None:
    with pytest.raises(InvalidEmbeddings, match=problem):
        unit_vectors(rows, count=2, dimensions=2)


def test_a_mean_direction_is_equally_close_to_both() -> None:
    along, across = array("f", [1.0, 0.0]), array("f", [0.0, 1.0])
    assert list(mean_direction(along, across)) == pytest.approx([math.sqrt(0.5)] * 2)


def test_the_mean_of_opposites_is_the_first() -> None:
    along, back = array("f", [1.0, 0.0]), array("f", [-1.0, 0.0])
    assert mean_direction(along, back) == along
