"""Opens the service: first what it is composed of, then its doors and its tasks."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from opentelemetry.trace import TracerProvider

from server.api.grpc.server import ServerOptions
from server.core.background import running
from server.core.values import Neo4jAddress
from server.operations.ports import Channel
from server.runtime.composition.doors import (
    local_socket,
    loopback,
    open_certificates,
    open_http,
    server_options,
    serving_health,
)
from server.runtime.composition.graph import open_graph, projecting
from server.runtime.composition.memories import working
from server.runtime.composition.models import open_models
from server.runtime.composition.service import Opened, Service, compose_service
from server.runtime.composition.worker_figures import Worker, answering_others
from server.runtime.settings import Settings
from server.storage.postgres.pool import open_database
from server.storage.postgres.servers import PostgresNotifications, new_server_id


@asynccontextmanager
async def open_service(
    settings: Settings,
    dsn: str,
    graph_address: Neo4jAddress | None,
    tracer_provider: TracerProvider | None = None,
    worker: Worker | None = None,
) -> AsyncIterator[Service]:
    """Serves during the block; callers drain the service before leaving it.

    Without a `graph_address` memories and searches work, and changes wait for a graph. A `worker`
    is one of several processes that serve on one port.

    Raises:
        CannotListen: the port is taken.
        CertificateFault: the certificate's files cannot be used.
        SettingsFault: the models cannot be opened.
        EmbedderConflict: the store was written with another embedder.
    """
    async with AsyncExitStack() as stack:
        opened = Opened(
            settings=settings,
            database=await stack.enter_async_context(open_database(dsn, settings.postgres)),
            models=await stack.enter_async_context(open_models(settings)),
            access=await stack.enter_async_context(open_graph(graph_address, settings.neo4j)),
            notifications=PostgresNotifications(dsn, server_id=new_server_id()),
            worker=worker,
        )
        options = _listening(stack, settings, worker)
        service = compose_service(opened, options, tracer_provider)
        await service.probe.refuse_other_embedder()
        service = await _open_doors(stack, opened, service, options.local_address)
        wake = await stack.enter_async_context(projecting(settings, dsn, graph_address))
        stack.enter_context(opened.notifications.subscribe(Channel.GRAPH_OUTBOX, wake))
        await _start_tasks(stack, opened, service)
        yield service


def _listening(stack: AsyncExitStack, settings: Settings, worker: Worker | None) -> ServerOptions:
    """Returns how the server listens: with TLS also at a local socket, for its own clients."""
    certificates = open_certificates(settings.tls)
    local_address = None
    if certificates is not None:
        directory = worker.directory if worker else stack.enter_context(_private_directory())
        local_address = local_socket(directory, worker.number if worker else 0)
    return server_options(settings, certificates, local_address, worker.port if worker else None)


@contextmanager
def _private_directory() -> Iterator[Path]:
    """Creates a directory for the block that only the owner can enter."""
    with TemporaryDirectory(prefix="memoir-") as directory:
        yield Path(directory)


async def _open_doors(
    stack: AsyncExitStack, opened: Opened, service: Service, local_address: str | None
) -> Service:
    """Serves gRPC, health and HTTP until the stack is closed; health shows the first check."""
    settings, worker = opened.settings, opened.worker
    await service.health.start()
    await service.probe.check()
    await stack.enter_async_context(
        serving_health(settings, service.health, shares_port=worker is not None)
    )
    await service.server.start()
    stack.push_async_callback(service.server.stop, None)
    local_address = local_address or loopback(settings, service.port)
    shared_port = worker.http_port if worker else None
    http_port = await stack.enter_async_context(
        open_http(settings, service.local, local_address, shared_port)
    )
    return replace(service, http_port=http_port, local_address=local_address)


async def _start_tasks(stack: AsyncExitStack, opened: Opened, service: Service) -> None:
    """Starts what else runs in the background until the stack is closed."""
    if opened.settings.retention.purge_days:
        await stack.enter_async_context(running("retention", service.purge.run()))
    stack.push_async_callback(service.key_uses.flush)
    await stack.enter_async_context(running("key-uses", service.key_uses.run()))
    await stack.enter_async_context(working(service.calls))
    await stack.enter_async_context(service.sampler.running())
    if opened.worker is not None:
        await stack.enter_async_context(
            answering_others(opened.worker, service.statistics, opened.database.usage)
        )
    await stack.enter_async_context(running("readiness", service.probe.run()))
