"""Settings of databases, models, inference and operations."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

from pydantic import AliasChoices, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from server.models.gemini.options import GeminiOptions
from server.operations.workers import OperationLimits
from server.storage.postgres.pool import PostgresOptions
from server.storage.postgres.scope_indexes import MOST_BYTES


def reading(prefix: str) -> SettingsConfigDict:
    """Makes a section read the variables with a prefix; an empty variable counts as not set."""
    return SettingsConfigDict(env_prefix=prefix, env_ignore_empty=True, extra="ignore")


class DataSettings(BaseSettings):
    """Folders of the embedded mode. Both are created if they are missing."""

    model_config = reading("MEMOIR_")

    data_dir: Path = Field(
        default=Path(".local/data"),
        description="Data of the embedded PostgreSQL and Neo4j, and the development key.",
    )
    neo4j_lib_dir: Path = Field(
        default=Path(".local/neo4j/5.18.0/lib"),
        description="The Neo4j server's jars, as `make neo4j` fetches them.",
    )


class InferenceSettings(BaseSettings):
    """Limits on what one add with `infer` may change."""

    model_config = reading("MEMOIR_INFERENCE_")

    max_deletions: int = Field(
        default=5,
        ge=0,
        le=200,
        description="Maximum number of memories that one add may update and delete by inference; "
        "if it would change more, it changes none.",
    )


class ModelChoice(StrEnum):
    """The models that embed and infer."""

    GEMINI = "gemini"
    OFFLINE = "offline"


class ModelSettings(BaseSettings):
    """The choice of models."""

    model_config = reading("MEMOIR_")

    models: ModelChoice | None = Field(
        default=None,
        description=(
            "gemini or offline. With an embedded PostgreSQL the default is gemini if "
            "GEMINI_API_KEY is set, else offline; with an external one it must be set."
        ),
    )


class GeminiSettings(GeminiOptions, BaseSettings):
    """Times are in seconds."""

    model_config = reading("MEMOIR_GEMINI_")

    api_key: SecretStr | None = Field(
        default=None,
        validation_alias=AliasChoices("GEMINI_API_KEY", "MEMOIR_GEMINI_API_KEY"),
        description="Key of the Gemini API.",
    )


class Neo4jSettings(BaseSettings):
    """Times are in seconds."""

    model_config = reading("MEMOIR_NEO4J_")

    uri: str | None = Field(
        default=None, description="bolt:// or neo4j:// address. Default: an embedded server."
    )
    user: str = Field(default="neo4j", description="User name.")
    password: SecretStr = Field(default=SecretStr(""), description="Password.")
    timeout: float = Field(default=10.0, gt=0, description="Time for one projection or read.")


class OperationSettings(OperationLimits, BaseSettings):
    """Settings of asynchronous calls. The names say the units of time."""

    model_config = reading("MEMOIR_OPERATIONS_")


class PostgresSettings(PostgresOptions, BaseSettings):
    """Times are in seconds."""

    model_config = reading("MEMOIR_POSTGRES_")

    dsn: SecretStr | None = Field(
        default=None,
        description="postgresql://user:password@host:port/database. Default: an embedded server.",
    )


class RetentionSettings(BaseSettings):
    """Settings of expired memories."""

    model_config = reading("MEMOIR_RETENTION_")

    purge_days: int = Field(
        default=30,
        ge=0,
        le=36500,
        description="How long after its last day an expired memory is kept before it is erased "
        "with its history and messages; 0 keeps it forever.",
    )


class SearchSettings(BaseSettings):
    """Settings of searches."""

    model_config = reading("MEMOIR_SEARCH_")

    index_mb: int = Field(
        default=MOST_BYTES // 2**20,
        ge=0,
        le=65536,
        description="Memory of each serving process for frequently searched scopes, in MiB; 0 "
        "holds none.",
    )
