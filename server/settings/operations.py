"""How asynchronous calls are worked on."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class OperationSettings(BaseSettings):
    """Asynchronous calls. Times are in the unit that the name says."""

    model_config = SettingsConfigDict(
        env_prefix="MEMOIR_OPERATIONS_", env_ignore_empty=True, extra="ignore"
    )

    concurrency: int = Field(
        default=8, ge=0, description="Operations at work at once in this server; 0 works on none."
    )
    attempt_seconds: float = Field(
        default=120.0, gt=0, description="Time for one attempt at an operation."
    )
    max_failures: int = Field(
        default=5,
        ge=1,
        description="Failed or crashed attempts after which an operation is given up.",
    )
    retention_hours: int = Field(
        default=168, ge=24, description="How long a done operation is kept."
    )
    request_id_hours: int = Field(
        default=168, ge=24, description="How long a request id, of any call, is remembered."
    )
