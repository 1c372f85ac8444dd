"""What is known of a method before it is called."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import grpc

from server.transport.decoding import Codec, message_type_of
from server.transport.method_classes import MethodClass, method_class

Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"

PUBLIC_SERVICES = frozenset(
    {
        "grpc.health.v1.Health",
        "grpc.reflection.v1.ServerReflection",
        "grpc.reflection.v1alpha.ServerReflection",
    }
)


@dataclass(frozen=True, slots=True)
class Method:
    """A method that is called. `name` is `package.Service/Method`.

    `exists` is false for what a client made up.

    Public methods, those of health and reflection, may be called without a key and during a drain.
    """

    name: str
    is_public: bool
    streams_requests: bool
    streams_responses: bool
    codec: Codec
    kind: MethodClass
    exists: bool = True


def describe(path: str, handler: Handler, *, exists: bool = True) -> Method:
    """The method at `path`, which is `/package.Service/Method`."""
    name = path.removeprefix("/")
    return Method(
        name=name,
        is_public=name.partition("/")[0] in PUBLIC_SERVICES,
        streams_requests=bool(handler.request_streaming),
        streams_responses=bool(handler.response_streaming),
        kind=method_class(name, streams=handler.request_streaming or handler.response_streaming),
        codec=Codec(
            name,
            handler.request_deserializer,
            handler.response_serializer,
            message_type_of(name) if handler.request_deserializer else None,
        ),
        exists=exists,
    )
