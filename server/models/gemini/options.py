"""Options of the Gemini adapter: models, endpoint, timeouts and concurrency."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class GeminiOptions(BaseModel):
    """Times are in seconds."""

    model_config = ConfigDict(frozen=True)

    base_url: str | None = Field(default=None, description="Another endpoint of the Gemini API.")
    embedding_model: str = Field(default="gemini-embedding-001", description="The embedding model.")
    embedding_dimensions: int = Field(
        default=768, ge=128, le=3072, description="The number of dimensions of its vectors."
    )
    language_model: str = Field(default="gemini-3.5-flash", description="The language model.")
    timeout: float = Field(default=30.0, gt=0, description="The time limit of one attempt.")
    rerank_timeout: float = Field(
        default=5.0, gt=0, description="Time that a search allows for reranking."
    )
    concurrency: int = Field(
        default=512,
        ge=1,
        le=4096,
        description="The maximum of concurrent requests to a model; less while it refuses some.",
    )
