"""The gRPC server."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import grpc
from google.longrunning import operations_proto_pb2
from google.protobuf.descriptor import ServiceDescriptor
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection
from memoir.v1 import (
    graph_service_pb2,
    memory_service_pb2,
    project_service_pb2,
    statistics_service_pb2,
)

from server.transport.health import HealthService
from server.transport.registration import add_service
from server.transport.services.graph import GraphService
from server.transport.services.memory import MemoryService
from server.transport.services.operations import OperationsService
from server.transport.services.project import ProjectService
from server.transport.services.statistics import StatisticsService

LEAST_PING_INTERVAL_MILLISECONDS = 10_000


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """How the server listens. Sizes are bytes, times seconds; an age of 0 is none.

    With `shares_port` other processes may listen on the same port, and get connections too.
    """

    address: str
    max_receive_bytes: int
    reflection: bool
    shares_port: bool = False
    max_metadata_bytes: int = 16 * 1024
    max_streams: int = 256
    max_pending: int = 256
    keepalive_seconds: float = 60.0
    max_connection_age: float = 1800.0
    max_connection_age_grace: float = 300.0


@dataclass(frozen=True, slots=True)
class Servicers:
    """What answers the calls."""

    memory: MemoryService
    graph: GraphService
    project: ProjectService
    health: HealthService
    operations: OperationsService
    statistics: StatisticsService


CONTRACT: tuple[ServiceDescriptor, ...] = (
    memory_service_pb2.DESCRIPTOR.services_by_name["MemoryService"],
    graph_service_pb2.DESCRIPTOR.services_by_name["GraphService"],
    project_service_pb2.DESCRIPTOR.services_by_name["ProjectService"],
    statistics_service_pb2.DESCRIPTOR.services_by_name["StatisticsService"],
    operations_proto_pb2.DESCRIPTOR.services_by_name["Operations"],
)


def servicer_of(service: ServiceDescriptor, servicers: Servicers) -> object:
    """What answers the calls of a service of the contract; a bare object where nothing does yet."""
    match service.name:
        case "MemoryService":
            return servicers.memory
        case "GraphService":
            return servicers.graph
        case "ProjectService":
            return servicers.project
        case "Operations":
            return servicers.operations
        case "StatisticsService":
            return servicers.statistics
        case _:
            return object()


def build_server(
    options: ServerOptions,
    servicers: Servicers,
    interceptors: Sequence[grpc.aio.ServerInterceptor],
) -> tuple[grpc.aio.Server, int]:
    """A server that is bound but not started, and its port.

    Raises:
        OSError: the address cannot be listened on.
    """
    server = grpc.aio.server(
        interceptors=list(interceptors),
        options=_channel_options(options),
    )
    for service in CONTRACT:
        add_service(server, service, servicer_of(service, servicers))
    health_pb2_grpc.add_HealthServicer_to_server(servicers.health.servicer, server)
    if options.reflection:
        names = [service.full_name for service in CONTRACT]
        names += [health_pb2.DESCRIPTOR.services_by_name["Health"].full_name]
        reflection.enable_server_reflection([*names, reflection.SERVICE_NAME], server)
    return server, _bind(server, options.address)


def _channel_options(options: ServerOptions) -> list[tuple[str, int]]:
    """Named as in gRPC's `channel_arg_names.h`."""
    chosen = [
        ("grpc.max_receive_message_length", options.max_receive_bytes),
        ("grpc.max_metadata_size", options.max_metadata_bytes),
        # The soft limit refuses at random below the hard one; here there is one limit.
        ("grpc.absolute_max_metadata_size", options.max_metadata_bytes),
        ("grpc.max_concurrent_streams", options.max_streams),
        # Beyond this gRPC refuses itself, which costs nothing but has no details.
        ("grpc.server.max_pending_requests", options.max_pending),
        ("grpc.server.max_pending_requests_hard_limit", options.max_pending),
        ("grpc.keepalive_time_ms", _milliseconds(options.keepalive_seconds)),
        ("grpc.http2.min_ping_interval_without_data_ms", LEAST_PING_INTERVAL_MILLISECONDS),
        # Otherwise two servers would share their connections without anyone noticing.
        ("grpc.so_reuseport", int(options.shares_port)),
    ]
    if options.max_connection_age:
        age, grace = options.max_connection_age, options.max_connection_age_grace
        chosen.append(("grpc.max_connection_age_ms", _milliseconds(age)))
        chosen.append(("grpc.max_connection_age_grace_ms", _milliseconds(grace)))
    return chosen


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)


def _bind(server: grpc.aio.Server, address: str) -> int:
    try:
        return server.add_insecure_port(address)
    except RuntimeError as error:
        raise OSError(f"cannot listen on {address}; set MEMOIR_GRPC_PORT to a free port") from error
