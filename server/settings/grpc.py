"""How the gRPC server listens and how long it takes."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class GrpcSettings(BaseSettings):
    """Times are seconds, sizes bytes."""

    model_config = SettingsConfigDict(
        env_prefix="MEMOIR_GRPC_", env_ignore_empty=True, extra="ignore"
    )

    host: str = Field(default="127.0.0.1", description="Address to listen on.")
    port: int = Field(
        default=50051, ge=0, le=65535, description="Port to listen on; 0 takes a free one."
    )
    reflection: bool | None = Field(
        default=None,
        description="Serve reflection. Default: only with the embedded PostgreSQL.",
    )
    max_receive_bytes: int = Field(
        default=16 * 1024 * 1024, ge=1024, description="Largest request that is read at all."
    )
    max_metadata_bytes: int = Field(
        default=16 * 1024, ge=1024, description="Most metadata that a call may carry."
    )
    max_streams: int = Field(
        default=256, ge=1, description="Calls at once on one connection; more wait at the client."
    )
    max_pending: int = Field(
        default=256,
        ge=1,
        description="Calls of one method that gRPC holds; it refuses what comes beyond that.",
    )
    keepalive_seconds: float = Field(
        default=60.0, ge=1, description="A connection that is silent this long is pinged."
    )
    max_connection_age: float = Field(
        default=1800.0,
        ge=0,
        description="A connection this old is told to end, so that balance returns; 0: never.",
    )
    max_connection_age_grace: float = Field(
        default=300.0, ge=1, description="Time for the calls on a connection told to end."
    )
    default_deadline: float = Field(
        default=60.0, gt=0, description="Time for a call that brings no deadline of its own."
    )
    drain_delay: float = Field(
        default=0.0,
        ge=0,
        description="Time between saying not ready after SIGTERM and refusing new calls.",
    )
    drain_seconds: float = Field(
        default=20.0, ge=0, description="Time for accepted calls to finish after SIGTERM."
    )
