"""Where the web page is served."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class PageSettings(BaseSettings):
    """For people, who bring a key."""

    model_config = SettingsConfigDict(
        env_prefix="MEMOIR_PAGE_", env_ignore_empty=True, extra="ignore"
    )

    host: str = Field(default="127.0.0.1", description="Address to listen on.")
    port: int | None = Field(
        default=None,
        ge=0,
        le=65535,
        description="Port of the web page; 0 takes a free one. Absent: not served.",
    )
    names: str = Field(
        default="",
        description="Other host names under which browsers reach it, separated by commas.",
    )
