"""Where the metrics are served."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class MetricsSettings(BaseSettings):
    """For Prometheus, which asks for them."""

    model_config = SettingsConfigDict(
        env_prefix="MEMOIR_METRICS_", env_ignore_empty=True, extra="ignore"
    )

    host: str = Field(default="127.0.0.1", description="Address to listen on.")
    port: int | None = Field(
        default=None,
        ge=0,
        le=65535,
        description="Port of GET /metrics; 0 takes a free one. Absent: not served.",
    )
