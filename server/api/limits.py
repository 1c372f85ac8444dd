"""Limits of the doors that listen: what connections and requests may cost."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class GrpcLimits(BaseModel):
    """Limits of the gRPC door. Times are in seconds, sizes in bytes."""

    model_config = ConfigDict(frozen=True)

    max_receive_bytes: int = Field(
        default=16 * 1024 * 1024, ge=1024, description="Largest request that is accepted."
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
        description="Age at which a connection is asked to end, to rebalance load; 0: never.",
    )
    max_connection_age_grace: float = Field(
        default=300.0, ge=1, description="Time for the calls on a connection that was asked to end."
    )


class HttpLimits(BaseModel):
    """Limits of the HTTP door and of the web page."""

    model_config = ConfigDict(frozen=True)

    connections: int = Field(
        default=1024, ge=1, description="Most connections at once, of each serving process."
    )
    idle_seconds: float = Field(
        default=30.0, ge=1, description="Time for the headers of a request to arrive."
    )
