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

KEEPALIVE_MILLISECONDS = 60_000
LEAST_PING_INTERVAL_MILLISECONDS = 10_000


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """How the server listens. Sizes are bytes."""

    address: str
    max_receive_bytes: int
    reflection: bool


@dataclass(frozen=True, slots=True)
class Servicers:
    """What answers the calls."""

    memory: MemoryService
    graph: GraphService
    project: ProjectService
    health: HealthService
    operations: OperationsService


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
        options=[
            ("grpc.max_receive_message_length", options.max_receive_bytes),
            ("grpc.keepalive_time_ms", KEEPALIVE_MILLISECONDS),
            ("grpc.http2.min_ping_interval_without_data_ms", LEAST_PING_INTERVAL_MILLISECONDS),
            # Two servers on one port would share its connections without anyone noticing.
            ("grpc.so_reuseport", 0),
        ],
    )
    for service in CONTRACT:
        add_service(server, service, servicer_of(service, servicers))
    health_pb2_grpc.add_HealthServicer_to_server(servicers.health.servicer, server)
    if options.reflection:
        names = [service.full_name for service in CONTRACT]
        names += [health_pb2.DESCRIPTOR.services_by_name["Health"].full_name]
        reflection.enable_server_reflection([*names, reflection.SERVICE_NAME], server)
    return server, _bind(server, options.address)


def _bind(server: grpc.aio.Server, address: str) -> int:
    try:
        return server.add_insecure_port(address)
    except RuntimeError as error:
        raise OSError(f"cannot listen on {address}; set MEMOIR_GRPC_PORT to a free port") from error
