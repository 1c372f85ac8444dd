"""Limits on connections and requests of the doors."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class GrpcLimits(BaseModel):
    """Limits of the gRPC door. Times are in seconds, sizes in bytes."""

    model_config = ConfigDict(frozen=True)

    max_receive_bytes: int = Field(
        default=16 * 1024 * 1024, ge=1024, description="Largest request that is accepted."
    )
    max_metadata_bytes: int = Field(
        default=16 * 1024, ge=1024, description="Largest metadata of a call."
    )
    max_streams: int = Field(
        default=256,
        ge=1,
        description="Concurrent calls on a connection; others wait at the client.",
    )
    max_pending: int = Field(
        default=256,
        ge=1,
        description="Calls of one method that gRPC holds; it refuses more.",
    )
    keepalive_seconds: float = Field(
        default=60.0, ge=1, description="A connection that is silent this long is pinged."
    )
    max_connection_age: float = Field(
        default=1800.0,
        ge=0,
        description="Age at which a connection is closed, to rebalance load; 0: never.",
    )
    max_connection_age_grace: float = Field(
        default=300.0, ge=1, description="Time for the calls on such a connection to finish."
    )


class HttpLimits(BaseModel):
    """Limits of the HTTP door and of the web page."""

    model_config = ConfigDict(frozen=True)

    connections: int = Field(
        default=1024, ge=1, description="Maximum of concurrent connections of each process."
    )
    idle_seconds: float = Field(
        default=30.0, ge=1, description="Time for the headers of a request to arrive."
    )
