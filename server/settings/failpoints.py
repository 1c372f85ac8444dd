"""Where the process is to die, for tests of crashes."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class FailpointSettings(BaseSettings):
    """For tests only: both must be set for anything to happen."""

    model_config = SettingsConfigDict(env_prefix="MEMOIR_", env_ignore_empty=True, extra="ignore")

    failpoints: str = Field(
        default="",
        description="For tests of crashes: places where the process dies, as name:count.",
    )
    allow_failpoints: bool = Field(
        default=False, description="For tests of crashes: lets MEMOIR_FAILPOINTS be set."
    )
