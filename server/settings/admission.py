"""How much work the server takes on at once."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class AdmissionSettings(BaseSettings):
    """Counts are calls, times seconds, sizes bytes."""

    model_config = SettingsConfigDict(
        env_prefix="MEMOIR_ADMISSION_", env_ignore_empty=True, extra="ignore"
    )

    concurrency: int = Field(default=128, ge=1, description="Reads and writes at once.")
    reads: int = Field(default=32, ge=1, description="Of those, reads at most.")
    writes: int = Field(default=96, ge=1, description="Of those, writes at most.")
    queue: int = Field(default=128, ge=0, description="Reads, and writes, that wait.")
    queue_seconds: float = Field(default=1.0, ge=0, description="Longest wait.")
    streams: int = Field(default=1000, ge=1, description="Streams and waits at once.")
    parked: int = Field(
        default=1024,
        ge=1,
        description="Calls that wait for a model or their turn on a scope, at once.",
    )
    request_bytes: int = Field(
        default=128 * 1024 * 1024, ge=1024, description="Requests in progress, together."
    )
    project_rate: float = Field(
        default=0.0, ge=0, description="Calls a second of one project; 0 bounds nothing."
    )
    project_burst: int = Field(
        default=100, ge=1, description="Calls of one project at once, above its rate."
    )
