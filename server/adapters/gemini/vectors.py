"""Checking and normalising the vectors that a model answers with."""

from __future__ import annotations

from array import array
from collections.abc import Sequence

import numpy as np

from server.domain.values import Vector


class InvalidEmbeddings(ValueError):
    """The vectors cannot be used; the message says why and holds no text."""


def unit_vectors(rows: Sequence[Sequence[float]], *, count: int, dimensions: int) -> list[Vector]:
    """The rows, each of length 1 (L2), in single precision.

    Raises:
        InvalidEmbeddings: there are not `count` rows of `dimensions` finite numbers, or one of them
            has no direction.
    """
    if len(rows) != count:
        raise InvalidEmbeddings(f"{len(rows)} embeddings for {count} texts")
    if wrong := {len(row) for row in rows} - {dimensions}:
        raise InvalidEmbeddings(f"embeddings of {sorted(wrong)} dimensions, not {dimensions}")
    matrix = np.asarray(rows, dtype=np.float64).reshape(count, dimensions)
    with np.errstate(over="ignore"):
        norms = np.linalg.norm(matrix, axis=1, keepdims=True)
    if not np.isfinite(norms).all():
        raise InvalidEmbeddings("an embedding that is not finite")
    if not norms.all():
        raise InvalidEmbeddings("an embedding of zeros")
    return [_vector(row) for row in (matrix / norms).astype(np.float32)]


def _vector(row: np.ndarray[tuple[int], np.dtype[np.float32]]) -> Vector:
    vector = array("f")
    vector.frombytes(row.tobytes())
    return vector
