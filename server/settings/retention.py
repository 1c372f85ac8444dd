"""How long what has expired is kept."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class RetentionSettings(BaseSettings):
    """What becomes of expired memories."""

    model_config = SettingsConfigDict(
        env_prefix="MEMOIR_RETENTION_", env_ignore_empty=True, extra="ignore"
    )

    purge_days: int = Field(
        default=30,
        ge=0,
        le=36500,
        description="How long after its last day an expired memory is kept before it is erased "
        "with its history and messages; 0 keeps it for good.",
    )
