"""How much an inference may do."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class InferenceSettings(BaseSettings):
    """Bounds of what one add with `infer` may change."""

    model_config = SettingsConfigDict(
        env_prefix="MEMOIR_INFERENCE_", env_ignore_empty=True, extra="ignore"
    )

    max_deletions: int = Field(
        default=5,
        ge=0,
        le=200,
        description="Memories that one add may update and delete by inference, together; beyond "
        "that it changes none of them.",
    )
