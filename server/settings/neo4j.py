"""How Neo4j is reached."""

from __future__ import annotations

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class Neo4jSettings(BaseSettings):
    """Times are seconds."""

    model_config = SettingsConfigDict(
        env_prefix="MEMOIR_NEO4J_", env_ignore_empty=True, extra="ignore"
    )

    uri: str | None = Field(
        default=None, description="bolt:// or neo4j:// address. Absent: an embedded server."
    )
    user: str = Field(default="neo4j", description="User name.")
    password: SecretStr = Field(default=SecretStr(""), description="Password.")
    timeout: float = Field(default=10.0, gt=0, description="Time for one projection or read.")
    search_timeout: float = Field(
        default=0.15, gt=0, description="Time that a search gives the graph; then it does without."
    )
