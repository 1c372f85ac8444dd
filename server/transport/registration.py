"""Putting services on a gRPC server, whole as the contract says."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Never, TypeAlias

import grpc
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.message_factory import GetMessageClass

from server.domain.errors import Unimplemented

Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"


def add_service(server: grpc.aio.Server, service: ServiceDescriptor, servicer: object) -> None:
    """Serves every method of `service`, by the method of the same name of `servicer`.

    A method that `servicer` lacks is served too, and answers that it is not offered, so that what
    the contract promises can be called whatever is behind it.
    """
    handlers = {method.name: _handler(method, servicer) for method in service.methods}
    server.add_generic_rpc_handlers(
        [grpc.method_handlers_generic_handler(service.full_name, handlers)]
    )
    # Those of each registered method wait apart: a flood of searches keeps no health check waiting.
    server.add_registered_method_handlers(service.full_name, handlers)


def implemented_methods(service: ServiceDescriptor, servicer: object) -> frozenset[str]:
    """The methods of `service` that `servicer` has, as `package.Service/Method`."""
    return frozenset(
        f"{service.full_name}/{method.name}"
        for method in service.methods
        if hasattr(servicer, method.name)
    )


def _handler(method: MethodDescriptor, servicer: object) -> Handler:
    behavior = getattr(servicer, method.name, None) or _not_offered(method)
    make = (
        grpc.unary_stream_rpc_method_handler
        if method.server_streaming
        else grpc.unary_unary_rpc_method_handler
    )
    return make(
        behavior,
        request_deserializer=GetMessageClass(method.input_type).FromString,
        response_serializer=GetMessageClass(method.output_type).SerializeToString,
    )


def _not_offered(method: MethodDescriptor) -> Callable[[Any, Any], Awaitable[Never]]:
    async def refuse(_request: Any, _context: Any) -> Never:
        raise Unimplemented(f"{method.containing_service.full_name}/{method.name}")

    return refuse
