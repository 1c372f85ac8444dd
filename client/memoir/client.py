"""The client for synchronous code. It may be used by several threads at once."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Self, TypeVar, Unpack

import grpc
from google.longrunning import operations_proto_pb2 as operations_pb2
from memoir import graph_calls, memory_calls, operation_calls, project_calls
from memoir.call import DEFAULT_TIMEOUT, Call, Page, correlation, metadata
from memoir.channels import Tls, api_key_or_default, open_channel
from memoir.errors import from_rpc_error
from memoir.graph import Entity, EntityNeighborhood, Relation
from memoir.memories import Memory, MemoryEvent
from memoir.options import (
    AddOptions,
    CallOptions,
    DeleteManyOptions,
    DeleteOptions,
    EntitiesOptions,
    EntityOptions,
    EraseOptions,
    ListOptions,
    OperationsOptions,
    PageOptions,
    PathOptions,
    ProjectOptions,
    ReadOptions,
    RelationOptions,
    RestoreOptions,
    SearchOptions,
    UpdateOptions,
    WatchOptions,
    WriteOptions,
)
from memoir.requests import Messages
from memoir.results import (
    AddResult,
    BatchItem,
    OperationState,
    Project,
    Receipt,
    ScopeSummary,
    SearchResult,
)
from memoir.retries import Attempts, Deadline, Resumption, RetryPolicy
from memoir.v1.audit_service_pb2 import AuditEvent
from memoir.v1.statistics_service_pb2 import Statistics

T = TypeVar("T")


class Client:
    """Calls a Memoir server.

    `address` is `host:port`, or a gRPC target such as `dns:///memoir:50051`; calls are spread over
    all addresses that it resolves to. `api_key` defaults to the environment variable
    MEMOIR_API_KEY. `timeout` is in seconds and bounds a call with all its retries. If a `channel`
    is given, calls use it, so that clients with different keys can share it. Every method raises
    `MemoirError`.
    """

    def __init__(
        self,
        address: str = "127.0.0.1:50051",
        api_key: str | None = None,
        *,
        tls: Tls | None = None,
        timeout: float = DEFAULT_TIMEOUT,
        retries: RetryPolicy | None = None,
        channel: grpc.Channel | None = None,
    ) -> None:
        self._api_key = api_key_or_default(api_key)
        self._timeout = timeout
        self._retries = retries or RetryPolicy()
        self._owns_channel = channel is None
        self._channel = channel or open_channel(address, tls)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connection; calls in progress fail. A given channel stays open."""
        if self._owns_channel:
            self._channel.close()

    def correlation(self, correlation_id: str) -> AbstractContextManager[None]:
        """Sets the correlation id of the calls in a `with` block, for logs and traces."""
        return correlation(correlation_id)

    def add(self, messages: Messages, **options: Unpack[AddOptions]) -> AddResult:
        """Adds the lasting facts of a conversation, and returns the changes.

        `messages` is a text that the user said, a message, or a conversation, oldest message first.
        """
        return self._run(memory_calls.add(messages, options))

    def submit(self, messages: Messages, **options: Unpack[AddOptions]) -> Operation:
        """Submits a conversation durably and returns at once.

        The work is done soon, in the order of the calls of a scope.
        """
        return Operation(self, self._run(memory_calls.submit(messages, options)))

    def search(self, query: str, **options: Unpack[SearchOptions]) -> SearchResult:
        """Finds the memories of a scope that match a question best."""
        return self._run(memory_calls.search(query, options))

    def get(self, memory_id: str, **options: Unpack[ReadOptions]) -> Memory:
        """Reads one memory."""
        return self._run(memory_calls.get(memory_id, options))

    def list(self, **options: Unpack[ListOptions]) -> Iterator[Memory]:
        """Reads the memories of a scope, newest first, fetching pages as needed."""
        return self._pages(lambda token: memory_calls.list_memories(token, options))

    def update(self, memory_id: str, **options: Unpack[UpdateOptions]) -> Memory:
        """Changes the fields that are given."""
        return self._run(memory_calls.update(memory_id, options))

    def delete(self, memory_id: str, **options: Unpack[DeleteOptions]) -> None:
        """Deletes one memory; from then on no read finds it."""
        self._run(memory_calls.delete(memory_id, options))

    def restore(self, memory_id: str, version: int, **options: Unpack[RestoreOptions]) -> Memory:
        """Restores an earlier version of a memory, after a change or a deletion."""
        return self._run(memory_calls.restore(memory_id, version, options))

    def update_many(
        self, updates: Mapping[str, UpdateOptions], **options: Unpack[WriteOptions]
    ) -> tuple[BatchItem, ...]:
        """Changes up to 1,000 memories, by id, and returns a result for each."""
        return self._run(memory_calls.update_many(updates, options))

    def delete_many(
        self, memory_ids: Sequence[str], **options: Unpack[EraseOptions]
    ) -> tuple[BatchItem, ...]:
        """Deletes up to 1,000 memories, and returns a result for each."""
        return self._run(memory_calls.delete_many(memory_ids, options))

    def delete_all(self, **options: Unpack[DeleteManyOptions]) -> Receipt:
        """Deletes every memory of a scope, or every memory that matches a filter."""
        return self._run(memory_calls.delete_all(options))

    def history(self, memory_id: str, **options: Unpack[PageOptions]) -> Iterator[MemoryEvent]:
        """Reads the history of a memory, even a deleted one, oldest event first."""
        return self._pages(lambda token: memory_calls.history(memory_id, token, options))

    def scopes(
        self, kind: str | None = None, **options: Unpack[PageOptions]
    ) -> Iterator[ScopeSummary]:
        """Lists the users, agents, apps or runs (`kind`) that have memories in the project."""
        return self._pages(lambda token: memory_calls.scopes(kind, token, options))

    def delete_scope(self, kind: str, scope_id: str, **options: Unpack[WriteOptions]) -> Receipt:
        """Deletes everything that is stored about one user, agent, app or run."""
        return self._run(memory_calls.delete_scope(kind, scope_id, options))

    def watch(self, **options: Unpack[WatchOptions]) -> Iterator[MemoryEvent]:
        """Yields every event in a scope as it happens, and reconnects by itself.

        No event is missed or repeated. To resume in another process, keep the `cursor` of the last
        event that was handled. `timeout` ends the stream after that many seconds.
        """
        return self._watch(options)

    def relations(self, **options: Unpack[RelationOptions]) -> Iterator[Relation]:
        """Reads the relations of a scope."""
        return self._pages(lambda token: graph_calls.relations(token, options))

    def entity(self, name: str, **options: Unpack[EntityOptions]) -> EntityNeighborhood:
        """Reads an entity by name or alias, with its neighborhood."""
        return self._run(graph_calls.entity(name, options))

    def entities(self, **options: Unpack[EntitiesOptions]) -> Iterator[Entity]:
        """Reads the entities of a scope."""
        return self._pages(lambda token: graph_calls.entities(token, options))

    def paths(
        self, source: str, target: str, **options: Unpack[PathOptions]
    ) -> tuple[tuple[Relation, ...], ...]:
        """Finds how two entities are connected, shortest path first."""
        return self._run(graph_calls.paths(source, target, options))

    def project(self, **options: Unpack[CallOptions]) -> Project:
        """Reads the settings of the project."""
        return self._run(project_calls.project(options))

    def update_project(self, **options: Unpack[ProjectOptions]) -> Project:
        """Changes the settings that are given."""
        return self._run(project_calls.update_project(options))

    def statistics(self, **options: Unpack[CallOptions]) -> Statistics:
        """Reads the statistics of the project."""
        return self._run(project_calls.statistics(options))

    def watch_statistics(self, **options: Unpack[CallOptions]) -> Iterator[Statistics]:
        """Yields the statistics of the project every second."""
        call = project_calls.watch_statistics(options)
        try:
            yield from map(call.read, self._open(call))
        except grpc.RpcError as error:
            raise from_rpc_error(error) from error

    def audit_events(self, **options: Unpack[PageOptions]) -> Iterator[AuditEvent]:
        """Reads the audit log, newest act first; needs a key with the role admin."""
        return self._pages(lambda token: project_calls.audit_events(token, options))

    def operation(self, name: str) -> Operation:
        """Finds an asynchronous add by the name of its operation."""
        return Operation(self, self._run(operation_calls.operation(name)))

    def operations(self, **options: Unpack[OperationsOptions]) -> Iterator[Operation]:
        """Lists the asynchronous adds, newest first; `filter` can be `state = FAILED`."""
        pages = self._pages(lambda token: operation_calls.operations(token, options))
        return (Operation(self, found) for found in pages)

    def _run(self, call: Call[T]) -> T:
        attempts = Attempts(self._retries, Deadline(call.timeout or self._timeout))
        invoke = self._channel.unary_unary(
            call.method,
            request_serializer=call.request.__class__.SerializeToString,
            response_deserializer=call.response_type.FromString,
        )
        while True:
            try:
                response = invoke(
                    call.request,
                    timeout=attempts.remaining(),
                    metadata=metadata(self._api_key),
                )
                return call.read(response)
            except grpc.RpcError as error:
                failure = from_rpc_error(error)
                delay = attempts.delay_after(failure)
            time.sleep(delay)

    def _pages(self, call: Callable[[str], Call[Page[T]]]) -> Iterator[T]:
        token = ""
        while True:
            page = self._run(call(token))
            yield from page.items
            token = page.next_page_token
            if not token:
                return

    def _watch(self, options: Mapping[str, object]) -> Iterator[MemoryEvent]:
        stream = Resumption(options, self._retries)
        while (current := stream.options()) is not None:
            call = memory_calls.watch(current)
            try:
                for event, cursor in map(call.read, self._open(call)):
                    if event is not None:
                        yield event
                    stream.received(cursor)
            except grpc.RpcError as error:
                delay = stream.delay_after(from_rpc_error(error))
            else:
                return
            time.sleep(delay)

    def _open(self, call: Call[Any]) -> Iterator[Any]:
        invoke = self._channel.unary_stream(
            call.method,
            request_serializer=call.request.__class__.SerializeToString,
            response_deserializer=call.response_type.FromString,
        )
        responses: Iterator[Any] = invoke(
            call.request, timeout=call.timeout, metadata=metadata(self._api_key)
        )
        return responses


class Operation:
    """An asynchronous add."""

    def __init__(self, client: Client, operation: operations_pb2.Operation) -> None:
        self._client = client
        self._operation = operation

    @property
    def name(self) -> str:
        """Its name, for `operation()` of any client of the project."""
        return str(self._operation.name)

    @property
    def state(self) -> OperationState:
        """Its last known state."""
        return operation_calls.operation_state(self._operation)

    def done(self) -> bool:
        """Checks whether it has ended, successfully or not."""
        if not self._operation.done:
            self._operation = self._client._run(operation_calls.operation(self.name))
        return bool(self._operation.done)

    def result(self, timeout: float | None = None) -> AddResult:
        """Waits for the end, at most `timeout` seconds (default: the client's), and returns it.

        Raises:
            OperationFailed: it was given up or cancelled.
            DeadlineExceeded: it has not ended in time; it continues.
        """
        deadline = Deadline(self._client._timeout if timeout is None else timeout)
        while not self._operation.done:
            wait = operation_calls.wait_operation(self.name, deadline.remaining())
            self._operation = self._client._run(wait)
        return operation_calls.operation_result(self._operation)

    def cancel(self) -> None:
        """Cancels it if it is not done; then it has no effect."""
        self._client._run(operation_calls.cancel_operation(self.name))

    def delete(self) -> None:
        """Deletes it after it has ended; its effects stay."""
        self._client._run(operation_calls.delete_operation(self.name))
