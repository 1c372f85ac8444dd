"""Real PostgreSQL and Neo4j servers as child processes, for machines that have neither.

Each has its own data directory, listens only on this machine, keeps its data across restarts and
does not outlive the process that started it, however that process ends.
"""

from server.embedded.directory import (
    DataDirectoryInUseError,
    EmbeddedError,
    MissingDependencyError,
    Progress,
    StartError,
    no_progress,
)
from server.embedded.neo4j import EmbeddedNeo4j, running_at
from server.embedded.postgres import EmbeddedPostgres

__all__ = [
    "DataDirectoryInUseError",
    "EmbeddedError",
    "EmbeddedNeo4j",
    "EmbeddedPostgres",
    "MissingDependencyError",
    "Progress",
    "StartError",
    "no_progress",
    "running_at",
]
