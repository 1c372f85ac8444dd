"""What the server says about itself."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class LogFormat(StrEnum):
    """How log lines look."""

    JSON = "json"
    CONSOLE = "console"


class TelemetrySettings(BaseSettings):
    """Tracing itself is set by the standard OTEL_* variables."""

    model_config = SettingsConfigDict(
        env_prefix="MEMOIR_LOG_", env_ignore_empty=True, extra="ignore"
    )

    format: LogFormat | None = Field(
        default=None, description="json or console. Default: console on a terminal, else json."
    )
    level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="Least severity that is written."
    )
    content: bool = Field(
        default=False,
        description="Writes the messages of exceptions too, which may quote conversations.",
    )
