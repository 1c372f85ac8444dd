"""How PostgreSQL is reached."""

from __future__ import annotations

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class PostgresSettings(BaseSettings):
    """Times are seconds."""

    model_config = SettingsConfigDict(
        env_prefix="MEMOIR_POSTGRES_", env_ignore_empty=True, extra="ignore"
    )

    dsn: SecretStr | None = Field(
        default=None,
        description="postgresql://user:password@host:port/database. Absent: an embedded server.",
    )
    pool_size: int = Field(default=16, ge=1, le=1000, description="Connections at most.")
    acquire_timeout: float = Field(default=2.0, gt=0, description="Wait for a free connection.")
    statement_timeout: float = Field(default=30.0, gt=0, description="Time for one statement.")
