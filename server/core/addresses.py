"""How to connect to a database that runs elsewhere, or that the server runs itself."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Neo4jAddress:
    """The address of a Neo4j, and a user with its password."""

    uri: str
    user: str
    password: str = field(repr=False)
