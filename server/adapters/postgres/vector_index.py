"""An index of the embeddings: HNSW, for databases in which a scope is a large part of everything.

Y. Malkov, D. Yashunin, "Efficient and robust approximate nearest neighbor search using Hierarchical
Navigable Small World graphs", 2016. https://arxiv.org/abs/1603.09320
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from math import sqrt
from typing import TYPE_CHECKING, Final

from server.adapters.statements import load_statements

if TYPE_CHECKING:
    from server.adapters.postgres.pool import Connection

SQL = load_statements("server.adapters.postgres.sql", "vector_index.sql")
_LOOK_AGAIN_SECONDS: Final = 60.0
_WORTHWHILE: Final = 60.0
"""The index holds everybody's vectors. Of a scope of n among N memories a walk through it meets one
in N/n, so that costs in proportion to N/n, and comparing all of the scope in proportion to n: the
walk is shorter from this times the root of N on. ADR 0021 says what was measured."""


def index_name(dimensions: int) -> str:
    """The name of the index for vectors of this length."""
    return f"memories_embedding_{dimensions}"


def cast_to(dimensions: int) -> str:
    """The cast under which the vectors are indexed: a column of vectors of any length cannot be."""
    return f"::halfvec({dimensions:d})"


@dataclass(frozen=True, slots=True)
class _Seen:
    at: float
    memories: float
    is_indexed: bool


class VectorIndex:
    """Whether the vectors have an index, looked up once in a while."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._seen: dict[int, _Seen] = {}

    async def serves(self, connection: Connection, dimensions: int, memories: float) -> bool:
        """Whether a scope of so many memories is searched faster by the index."""
        seen = self._seen.get(dimensions)
        if seen is None or self._monotonic() - seen.at > _LOOK_AGAIN_SECONDS:
            row = await connection.fetchrow(SQL["vector_index"], index_name(dimensions))
            assert row is not None
            seen = _Seen(self._monotonic(), row["memories"], row["is_indexed"])
            self._seen[dimensions] = seen
        return seen.is_indexed and memories > _WORTHWHILE * sqrt(seen.memories)
