"""Which models embed and infer."""

from __future__ import annotations

from enum import StrEnum

from pydantic import AliasChoices, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class ModelChoice(StrEnum):
    """Who embeds and infers."""

    GEMINI = "gemini"
    OFFLINE = "offline"


class ModelSettings(BaseSettings):
    """Times are seconds."""

    model_config = SettingsConfigDict(
        env_prefix="MEMOIR_", env_ignore_empty=True, extra="ignore", populate_by_name=True
    )

    models: ModelChoice | None = Field(
        default=None,
        description=(
            "gemini or offline. With an embedded PostgreSQL the default is gemini if "
            "GEMINI_API_KEY is set, else offline; with an external one it must be set."
        ),
    )
    gemini_api_key: SecretStr | None = Field(
        default=None,
        validation_alias=AliasChoices("GEMINI_API_KEY", "MEMOIR_GEMINI_API_KEY"),
        description="Key of the Gemini API.",
    )
    gemini_base_url: str | None = Field(
        default=None, description="Another address that speaks the Gemini API."
    )
    gemini_embedding_model: str = Field(
        default="gemini-embedding-001", description="Model that embeds."
    )
    gemini_embedding_dimensions: int = Field(
        default=768, ge=128, le=3072, description="Length of its vectors."
    )
    gemini_language_model: str = Field(default="gemini-3.5-flash", description="Model that infers.")
    gemini_timeout: float = Field(default=30.0, gt=0, description="Time for one attempt.")
    gemini_rerank_timeout: float = Field(
        default=5.0, gt=0, description="Time that a search gives a reranking."
    )
    gemini_concurrency: int = Field(
        default=512,
        ge=1,
        le=4096,
        description="Most requests to one Gemini model at once; fewer while it refuses them.",
    )
