"""Real PostgreSQL and Neo4j servers as child processes, for machines that offer neither.

Each lives in a data directory of its own, listens on this machine only, keeps its data over
restarts and does not outlive the process that started it, however that one ends.
"""

from server.embedded.errors import (
    DataDirectoryInUseError,
    EmbeddedError,
    MissingDependencyError,
    NoProgress,
    Progress,
    StartError,
)
from server.embedded.neo4j import EmbeddedNeo4j, Neo4jAddress, running_at
from server.embedded.postgres import EmbeddedPostgres

__all__ = [
    "DataDirectoryInUseError",
    "EmbeddedError",
    "EmbeddedNeo4j",
    "EmbeddedPostgres",
    "MissingDependencyError",
    "Neo4jAddress",
    "NoProgress",
    "Progress",
    "StartError",
    "running_at",
]
