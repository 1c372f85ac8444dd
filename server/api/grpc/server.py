"""The gRPC server: all services of the contract, health and reflection."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Never, TypeAlias

import grpc
from google.longrunning import operations_proto_pb2
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.message_factory import GetMessageClass
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection
from memoir.v1 import (
    audit_service_pb2,
    graph_service_pb2,
    memory_service_pb2,
    project_service_pb2,
    statistics_service_pb2,
)

from server.api.grpc.health import HealthService
from server.api.grpc.services.graph import GraphService
from server.api.grpc.services.memory import MemoryService
from server.api.grpc.services.operations import OperationsService
from server.api.grpc.services.project import AuditService, ProjectService, StatisticsService
from server.api.limits import GrpcLimits
from server.core.errors import Unimplemented
from server.core.values import CannotListen

Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"


# The methods that agents call most. Only these have separate queues in gRPC, because each queue
# costs every call some time; all other methods share one.
_WITH_OWN_QUEUE = frozenset({"AddMemories", "SearchMemories"})


def add_service(server: grpc.aio.Server, service: ServiceDescriptor, servicer: object) -> None:
    """Serves every method of `service` with the method of the same name of `servicer`.

    A method that `servicer` lacks is served too, and returns UNIMPLEMENTED, so that every method of
    the contract can be called.
    """
    handlers = {method.name: _handler(method, servicer) for method in service.methods}
    server.add_generic_rpc_handlers(
        [grpc.method_handlers_generic_handler(service.full_name, handlers)]
    )
    # Registered methods have separate queues, so a flood of searches does not delay adds. The
    # library registers the methods of health.
    frequent = {name: handler for name, handler in handlers.items() if name in _WITH_OWN_QUEUE}
    server.add_registered_method_handlers(service.full_name, frequent)


def _handler(method: MethodDescriptor, servicer: object) -> Handler:
    return method_handler(
        method,
        servicer,
        GetMessageClass(method.input_type).FromString,
        GetMessageClass(method.output_type).SerializeToString,
    )


def method_handler(
    method: MethodDescriptor,
    servicer: object,
    read: Callable[[bytes], Any],
    write: Callable[[Any], bytes],
) -> Handler:
    """Returns the handler of a method; `read` decodes requests, `write` encodes responses."""
    behavior = getattr(servicer, method.name, None) or _not_offered(method)
    make = (
        grpc.unary_stream_rpc_method_handler
        if method.server_streaming
        else grpc.unary_unary_rpc_method_handler
    )
    return make(behavior, request_deserializer=read, response_serializer=write)


def _not_offered(method: MethodDescriptor) -> Callable[[Any, Any], Awaitable[Never]]:
    async def refuse(_request: Any, _context: Any) -> Never:
        raise Unimplemented(f"{method.containing_service.full_name}/{method.name}")

    return refuse


LEAST_PING_INTERVAL_MILLISECONDS = 10_000


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """How the server listens.

    With `shares_port` other processes may listen on the same port. Without `credentials` nothing is
    encrypted. `local_address` is the address of an unencrypted Unix socket for clients in the
    server's own processes.
    """

    address: str
    limits: GrpcLimits
    reflection: bool
    shares_port: bool = False
    credentials: grpc.ServerCredentials | None = None
    local_address: str | None = None


@dataclass(frozen=True, slots=True)
class Servicers:
    """The objects that serve the calls."""

    memory: MemoryService
    graph: GraphService
    project: ProjectService
    health: HealthService
    operations: OperationsService
    statistics: StatisticsService
    audit: AuditService


CONTRACT: tuple[ServiceDescriptor, ...] = (
    memory_service_pb2.DESCRIPTOR.services_by_name["MemoryService"],
    graph_service_pb2.DESCRIPTOR.services_by_name["GraphService"],
    project_service_pb2.DESCRIPTOR.services_by_name["ProjectService"],
    statistics_service_pb2.DESCRIPTOR.services_by_name["StatisticsService"],
    audit_service_pb2.DESCRIPTOR.services_by_name["AuditService"],
    operations_proto_pb2.DESCRIPTOR.services_by_name["Operations"],
)


def servicer_of(service: ServiceDescriptor, servicers: Servicers) -> object:
    """Returns the object that serves a service of the contract."""
    by_name: dict[str, object] = {
        "MemoryService": servicers.memory,
        "GraphService": servicers.graph,
        "ProjectService": servicers.project,
        "Operations": servicers.operations,
        "StatisticsService": servicers.statistics,
        "AuditService": servicers.audit,
    }
    return by_name[service.name]


def build_server(
    options: ServerOptions,
    servicers: Servicers,
    interceptor: grpc.aio.ServerInterceptor,
) -> tuple[grpc.aio.Server, int]:
    """Returns a server that is bound but not started, and its port.

    Raises:
        CannotListen: the port is taken.
    """
    server = grpc.aio.server(interceptors=[interceptor], options=_channel_options(options))
    for service in CONTRACT:
        add_service(server, service, servicer_of(service, servicers))
    health_pb2_grpc.add_HealthServicer_to_server(servicers.health, server)
    if options.reflection:
        names = [service.full_name for service in CONTRACT]
        names += [health_pb2.DESCRIPTOR.services_by_name["Health"].full_name]
        reflection.enable_server_reflection([*names, reflection.SERVICE_NAME], server)
    port = _bind(server, options.address, options.credentials)
    if options.local_address is not None:
        server.add_insecure_port(options.local_address)
    return server, port


def _channel_options(options: ServerOptions) -> list[tuple[str, int]]:
    """Named as in gRPC's `channel_arg_names.h`."""
    limits = options.limits
    chosen = [
        ("grpc.max_receive_message_length", limits.max_receive_bytes),
        ("grpc.max_metadata_size", limits.max_metadata_bytes),
        # The soft limit refuses at random below the hard limit; here they are equal.
        ("grpc.absolute_max_metadata_size", limits.max_metadata_bytes),
        ("grpc.max_concurrent_streams", limits.max_streams),
        # This protection also counts streams that have ended but are not freed yet, so it would
        # reset calls of clients that respect the limit. The limit itself still applies.
        ("grpc.http.overload_protection", 0),
        # Beyond this gRPC itself refuses calls, at no cost but without details.
        ("grpc.server.max_pending_requests", limits.max_pending),
        ("grpc.server.max_pending_requests_hard_limit", limits.max_pending),
        ("grpc.keepalive_time_ms", _milliseconds(limits.keepalive_seconds)),
        ("grpc.http2.min_ping_interval_without_data_ms", LEAST_PING_INTERVAL_MILLISECONDS),
        # Otherwise two servers would share connections unnoticed.
        ("grpc.so_reuseport", int(options.shares_port)),
    ]
    if limits.max_connection_age:
        age, grace = limits.max_connection_age, limits.max_connection_age_grace
        chosen.append(("grpc.max_connection_age_ms", _milliseconds(age)))
        chosen.append(("grpc.max_connection_age_grace_ms", _milliseconds(grace)))
    return chosen


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)


def _bind(
    server: grpc.aio.Server,
    address: str,
    credentials: grpc.ServerCredentials | None,
    setting: str = "MEMOIR_GRPC_PORT",
) -> int:
    try:
        if credentials is not None:
            return server.add_secure_port(address, credentials)
        return server.add_insecure_port(address)
    except RuntimeError as error:
        raise CannotListen(address, setting) from error


def build_health_server(
    address: str, health: HealthService, *, shares_port: bool = False
) -> grpc.aio.Server:
    """Returns a server of health alone that is bound but not started, and not encrypted.

    Raises:
        CannotListen: the port is taken.
    """
    server = grpc.aio.server(options=[("grpc.so_reuseport", int(shares_port))])
    health_pb2_grpc.add_HealthServicer_to_server(health, server)
    _bind(server, address, None, "MEMOIR_GRPC_HEALTH_PORT")
    return server
