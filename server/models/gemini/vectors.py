"""Reads the embeddings in a response, and makes unit vectors of them."""

from __future__ import annotations

import math
from array import array
from collections.abc import Sequence

import numpy as np
import orjson

from server.core.values import Vector


class InvalidEmbeddings(ValueError):
    """The vectors cannot be used; the message gives the reason, without texts."""


def read_embeddings(text: str) -> list[Sequence[float]]:
    """Returns the vectors in a response; only its shape is checked.

    https://ai.google.dev/api/embeddings#response-body_1

    Raises:
        ValueError, TypeError: the text is not JSON, or JSON of another shape.
    """
    # Checking thousands of numbers with pydantic takes half as long again.
    embeddings = dict(orjson.loads(text)).get("embeddings", ())
    return [array("d", dict(embedding).get("values", ())) for embedding in embeddings]


def unit_vectors(rows: Sequence[Sequence[float]], *, count: int, dimensions: int) -> list[Vector]:
    """Returns the rows, scaled to length 1 (L2), in single precision.

    Raises:
        InvalidEmbeddings: there are not `count` rows of `dimensions` finite numbers, or one of them
            has no direction.
    """
    if len(rows) != count:
        raise InvalidEmbeddings(f"{len(rows)} embeddings for {count} texts")
    if wrong := {len(row) for row in rows} - {dimensions}:
        raise InvalidEmbeddings(f"embeddings of {sorted(wrong)} dimensions, not {dimensions}")
    with np.errstate(over="ignore"):
        return [_unit_vector(np.asarray(row, dtype=np.float64)) for row in rows]


def _unit_vector(row: np.ndarray[tuple[int], np.dtype[np.float64]]) -> Vector:
    norm = math.sqrt(row.dot(row))
    if not math.isfinite(norm):
        raise InvalidEmbeddings("an embedding that is not finite")
    if not norm:
        raise InvalidEmbeddings("an embedding of zeros")
    return _vector((row / norm).astype(np.float32))


def mean_direction(one: Vector, other: Vector) -> Vector:
    """Returns the unit vector halfway between two; the first if they are opposite."""
    total = np.frombuffer(one, dtype=np.float32) + np.frombuffer(other, dtype=np.float32)
    norm = np.linalg.norm(total)
    return _vector(total / norm) if norm else one


def _vector(row: np.ndarray[tuple[int], np.dtype[np.float32]]) -> Vector:
    return array("f", row.tobytes())
