"""Helpers for tests of the interceptors: fake services, and calls with their outcome."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeAlias, TypeVar

import grpc
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2
from memoir.v1 import graph_service_pb2, memory_service_pb2
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from server.api.grpc.admission import Admission
from server.api.grpc.health import HealthService
from server.api.grpc.interceptors.drain import DrainGate
from server.core.errors import ApiKeyInvalid, ProjectForbidden, ProjectRequired
from server.projects.project import Caller, Principal

NOW = datetime(2026, 6, 15, 12, tzinfo=UTC)
DEFAULT_SECONDS = 30.0
KEY = "mem_good"
AUTHORIZED = (("authorization", f"Token {KEY}"),)
ADD = "/memoir.v1.MemoryService/AddMemories"
GET = "/memoir.v1.MemoryService/GetMemory"
GENERATE = "/test.Streams/Generate"
WRITE = "/test.Streams/Write"
COLLECT = "/test.Streams/Collect"
ECHO = "/test.Streams/Echo"

Behavior: TypeAlias = Callable[[Any, Any], Awaitable[Any]]
Metadata: TypeAlias = Sequence[tuple[str, str | bytes]]
Detail = TypeVar("Detail", bound=Message)
Found = TypeVar("Found")

AddRequest = memory_service_pb2.AddMemoriesRequest
AddResponse = memory_service_pb2.AddMemoriesResponse
GetRequest = memory_service_pb2.GetMemoryRequest


def add_request(**fields: Any) -> memory_service_pb2.AddMemoriesRequest:
    """A valid request, changed by `fields`."""
    return AddRequest(**{"user_id": "u", "messages": [{"role": "user", "content": "hi"}]} | fields)


async def authenticate(key: str) -> Principal:
    keys = {
        KEY: Principal("k1", "org", "project"),
        "mem_org": Principal("k2", "org", None),
    }
    if key not in keys:
        raise ApiKeyInvalid(f"{key} is unknown")
    return keys[key]


async def authorize(principal: Principal, org_id: str | None, project_id: str | None) -> Caller:
    if org_id not in {None, principal.org_id}:
        raise ProjectForbidden
    named = project_id or principal.project_id
    if named is None:
        raise ProjectRequired
    if principal.project_id not in {None, named}:
        raise ProjectForbidden
    return Caller(principal.key_id, principal.org_id, named)


class FakeService:
    """Runs a function that the test sets."""

    def __init__(self) -> None:
        self.add: Behavior = self._nothing
        self.stream: Callable[[Any, Any], AsyncIterator[Any]] = self._no_stream
        self.write: Behavior = self._nothing
        self.requests: list[Any] = []

    async def add_memories(self, request: Any, context: Any) -> Any:
        self.requests.append(request)
        return await self.add(request, context)

    async def fail(self, request: Any, context: Any) -> Any:
        raise NotImplementedError

    async def generate(self, request: Any, context: Any) -> AsyncIterator[Any]:
        async for response in self.stream(request, context):
            yield response

    async def collect(self, requests: AsyncIterator[Any], context: Any) -> Any:
        self.requests = [request async for request in requests]
        return AddResponse(consistency_token=str(len(self.requests)))

    async def echo(self, requests: AsyncIterator[Any], context: Any) -> AsyncIterator[Any]:
        async for request in requests:
            yield AddResponse(consistency_token=request.user_id)

    async def _nothing(self, request: Any, context: Any) -> Any:
        return AddResponse()

    async def _no_stream(self, request: Any, context: Any) -> AsyncIterator[Any]:
        for response in list[Any]():
            yield response


def memory_handlers(service: FakeService) -> grpc.GenericRpcHandler:
    """Methods of the contract."""
    write = AddResponse.SerializeToString
    return grpc.method_handlers_generic_handler(
        "memoir.v1.MemoryService",
        {
            "AddMemories": grpc.unary_unary_rpc_method_handler(
                service.add_memories, AddRequest.FromString, write
            ),
            "GetMemory": grpc.unary_unary_rpc_method_handler(
                service.add_memories, GetRequest.FromString, write
            ),
            "SearchMemories": grpc.unary_unary_rpc_method_handler(
                service.fail, memory_service_pb2.SearchMemoriesRequest.FromString
            ),
        },
    )


def graph_handlers(service: FakeService) -> grpc.GenericRpcHandler:
    """Methods of the contract without an implementation."""
    requests: dict[str, type[Message]] = {
        "ListRelations": graph_service_pb2.ListRelationsRequest,
        "GetEntity": graph_service_pb2.GetEntityRequest,
    }
    return grpc.method_handlers_generic_handler(
        "memoir.v1.GraphService",
        {
            name: grpc.unary_unary_rpc_method_handler(service.fail, kind.FromString)
            for name, kind in requests.items()
        },
    )


def streaming_handlers(service: FakeService) -> grpc.GenericRpcHandler:
    """Methods of kinds that the contract does not have."""

    async def write(request: Any, context: Any) -> None:
        await service.write(request, context)

    codec = (AddRequest.FromString, AddResponse.SerializeToString)
    return grpc.method_handlers_generic_handler(
        "test.Streams",
        {
            "Generate": grpc.unary_stream_rpc_method_handler(service.generate, *codec),
            "Write": grpc.unary_stream_rpc_method_handler(write, *codec),
            "Collect": grpc.stream_unary_rpc_method_handler(service.collect, *codec),
            "Echo": grpc.stream_stream_rpc_method_handler(service.echo, *codec),
        },
    )


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a call ended, as the client sees it."""

    code: grpc.StatusCode
    text: str
    trailers: list[tuple[str, str | bytes]]
    responses: list[Any]

    def trailer(self, key: str) -> str | bytes | None:
        return next((value for name, value in self.trailers if name == key), None)

    def detail(self, kind: type[Detail]) -> Detail | None:
        status = status_pb2.Status()
        status.ParseFromString(self.trailer("grpc-status-details-bin") or b"")
        for packed in status.details:
            found = kind()
            if packed.Unpack(found):
                return found
        return None

    @property
    def reason(self) -> str:
        info = self.detail(error_details_pb2.ErrorInfo)
        return info.reason.removeprefix("ERROR_REASON_") if info else ""

    @property
    def fields(self) -> list[str]:
        bad_request = self.detail(error_details_pb2.BadRequest)
        return [v.field for v in bad_request.field_violations] if bad_request else []


@dataclass(frozen=True, slots=True)
class Harness:
    """A server under test."""

    server: grpc.aio.Server
    address: str
    channel: grpc.aio.Channel
    service: FakeService
    health: HealthService
    gate: DrainGate
    admission: Admission
    spans: InMemorySpanExporter
    logs: list[MutableMapping[str, Any]]

    async def call(
        self,
        method: str = ADD,
        request: Message | bytes | None = None,
        metadata: Metadata = AUTHORIZED,
        timeout: float | None = None,
    ) -> Outcome:
        """A unary call with raw bytes, so that malformed requests can be sent too."""
        raw = _raw(add_request() if request is None else request)
        send: Any = self.channel.unary_unary(method)
        ongoing = send(raw, metadata=metadata, timeout=timeout)
        responses: list[Any] = []
        with suppress(grpc.aio.AioRpcError):
            responses.append(AddResponse.FromString(await ongoing))
        return await _outcome(ongoing, responses)

    async def stream(
        self, method: str, request: Message | bytes | None = None, metadata: Metadata = AUTHORIZED
    ) -> Outcome:
        raw = _raw(add_request() if request is None else request)
        send: Any = self.channel.unary_stream(method)
        return await _drained(send(raw, metadata=metadata))

    async def client_stream(
        self, method: str, requests: Sequence[Message | bytes], metadata: Metadata = AUTHORIZED
    ) -> Outcome:
        send: Any = self.channel.stream_stream(method)
        return await _drained(send(iter([_raw(r) for r in requests]), metadata=metadata))

    async def log(self, event: str) -> MutableMapping[str, Any]:
        """The first log event of that name, which may come shortly after the response."""
        found = await _eventually(lambda: [e for e in self.logs if e["event"] == event])
        return found[0]

    async def wait_until_ended(self, calls: int) -> None:
        """Waits until the server has recorded that many calls, after their responses."""
        await _eventually(lambda: [e for e in self.logs if e["event"] == "rpc.ended"][calls - 1 :])

    async def span(self) -> ReadableSpan:
        """The call's span, which may end shortly after the response."""
        return (await _eventually(self.spans.get_finished_spans))[-1]


async def _eventually(find: Callable[[], Sequence[Found]]) -> Sequence[Found]:
    # There is no event for what the server does after its response.
    async with asyncio.timeout(20):
        while not (found := find()):  # noqa: ASYNC110
            await asyncio.sleep(0)
    return found


def _raw(request: Message | bytes) -> bytes:
    return request if isinstance(request, bytes) else request.SerializeToString()


async def _drained(ongoing: Any) -> Outcome:
    responses: list[Any] = []
    with suppress(grpc.aio.AioRpcError):
        while (raw := await ongoing.read()) is not grpc.aio.EOF:
            responses.append(AddResponse.FromString(raw))
    return await _outcome(ongoing, responses)


async def _outcome(ongoing: Any, responses: list[Any]) -> Outcome:
    trailers = [(key, value) for key, value in await ongoing.trailing_metadata() or ()]
    return Outcome(await ongoing.code(), await ongoing.details() or "", trailers, responses)


class Held:
    """A handler that answers when it is released."""

    def __init__(self) -> None:
        self.entered = asyncio.Event()
        self.let_go = asyncio.Event()

    async def __call__(self, request: Any, context: Any) -> Any:
        self.entered.set()
        await self.let_go.wait()
        return AddResponse(consistency_token="kept")
