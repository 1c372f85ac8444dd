"""Embeddings on their way to PostgreSQL."""

from __future__ import annotations

import numpy as np
from pgvector import HalfVector

from server.domain.values import Vector


def to_halfvec(vector: Vector) -> HalfVector:
    """The vector in half precision, which is what is stored and compared."""
    return HalfVector(np.frombuffer(vector, dtype=np.float32))
