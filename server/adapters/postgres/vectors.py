"""Embeddings on their way to PostgreSQL."""

from __future__ import annotations

from array import array

import numpy as np
from pgvector import HalfVector

from server.domain.values import Vector


def to_halfvec(vector: Vector) -> HalfVector:
    """The vector in half precision, which is what is stored and compared."""
    return HalfVector(np.frombuffer(vector, dtype=np.float32))


def from_halfvec(value: HalfVector) -> Vector:
    """The stored vector in single precision."""
    vector = array("f")
    vector.frombytes(value.to_numpy().astype(np.float32).tobytes())
    return vector
