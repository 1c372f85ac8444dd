"""The bounds of the transport, as the settings say."""

from __future__ import annotations

from server.settings import AdmissionSettings, Settings
from server.transport.admission import Admission, AdmissionLimits
from server.transport.rate_limit import RateLimiter
from server.transport.server import ServerOptions


def server_options(settings: Settings, shared_port: int | None = None) -> ServerOptions:
    """How the server listens; on `shared_port` if several processes do."""
    grpc = settings.grpc
    return ServerOptions(
        address=f"{grpc.host}:{shared_port or grpc.port}",
        shares_port=shared_port is not None,
        max_receive_bytes=grpc.max_receive_bytes,
        reflection=settings.reflection,
        max_metadata_bytes=grpc.max_metadata_bytes,
        max_streams=grpc.max_streams,
        max_pending=grpc.max_pending,
        keepalive_seconds=grpc.keepalive_seconds,
        max_connection_age=grpc.max_connection_age,
        max_connection_age_grace=grpc.max_connection_age_grace,
    )


def admission(settings: AdmissionSettings) -> Admission:
    """How much work is taken on at once."""
    return Admission(
        AdmissionLimits(
            concurrency=settings.concurrency,
            reads=settings.reads,
            writes=settings.writes,
            queue=settings.queue,
            queue_seconds=settings.queue_seconds,
            streams=settings.streams,
            request_bytes=settings.request_bytes,
            parked=settings.parked,
        )
    )


def rate_limiter(settings: AdmissionSettings) -> RateLimiter:
    """How many calls a project may send."""
    return RateLimiter(settings.project_rate, settings.project_burst)
