"""How a connection pool is used."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PoolUsage:
    """Connections that are open, those of them that nobody uses, and how many may be open."""

    size: int
    idle: int
    max_size: int
