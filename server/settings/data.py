"""Where the embedded databases keep their data."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class DataSettings(BaseSettings):
    """Folders of the embedded mode. Both are made where they are missing."""

    model_config = SettingsConfigDict(
        env_prefix="MEMOIR_",
        env_ignore_empty=True,
        extra="ignore",
    )

    data_dir: Path = Field(
        default=Path(".local/data"),
        description="Data of the embedded PostgreSQL and Neo4j, and the development key.",
    )
    neo4j_lib_dir: Path = Field(
        default=Path(".local/neo4j/5.18.0/lib"),
        description="The Neo4j server's jars, as `make neo4j` fetches them.",
    )
