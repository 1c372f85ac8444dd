"""Notifications between servers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import asyncpg
import structlog

from server.operations.ports import Channel
from server.storage.postgres.leases import enter
from server.storage.postgres.pool import UNAVAILABLE
from server.storage.postgres.statements import load_sql

if TYPE_CHECKING:
    Connection = asyncpg.Connection[asyncpg.Record]

SQL = load_sql("connections.sql")

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class NotificationOptions:
    """How the connection is used.

    Notifications are at least `interval` apart. If nothing was sent for `check_interval`, the
    connection is checked, so that a dead one is replaced. After a failure it waits for
    `retry_interval`, which is short enough that the server does not count as dead (see FreeLeases).
    """

    interval: timedelta = timedelta(milliseconds=50)
    check_interval: timedelta = timedelta(seconds=10)
    retry_interval: timedelta = timedelta(milliseconds=250)
    timeout: timedelta = timedelta(seconds=5)


class PostgresNotifications:
    """Implements `server.operations.ports.Notifications` while `run` runs."""

    def __init__(
        self, dsn: str, options: NotificationOptions | None = None, server_id: int | None = None
    ) -> None:
        """`server_id` marks this server as present while it is connected."""
        self._dsn = dsn
        self.server_id = server_id
        self._options = options or NotificationOptions()
        self._subscribers: dict[Channel, list[Callable[[], None]]] = {c: [] for c in Channel}
        self._unsent: set[Channel] = set()
        self._changed = asyncio.Event()

    def notify(self, channel: Channel) -> None:
        self._notify_subscribers(channel)
        self._unsent.add(channel)
        self._changed.set()

    @contextmanager
    def subscribe(self, channel: Channel, on_notice: Callable[[], None]) -> Iterator[None]:
        self._subscribers[channel].append(on_notice)
        try:
            yield
        finally:
            self._subscribers[channel].remove(on_notice)

    async def run(self) -> None:
        """Sends and receives until it is cancelled. A lost connection is replaced."""
        was_lost = False
        while True:
            try:
                async with self._connected() as connection:
                    if was_lost:
                        log.info("notifications.restored")
                    was_lost = False
                    self._notify_all_subscribers()
                    self._changed.set()
                    await self._send_forever(connection)
            except (TimeoutError, *UNAVAILABLE) as error:
                if not was_lost:
                    log.warning("notifications.lost", error=type(error).__name__)
                was_lost = True
            await asyncio.sleep(self._options.retry_interval.total_seconds())

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[Connection]:
        timeout = self._options.timeout.total_seconds()
        connection = await asyncpg.connect(
            self._dsn,
            timeout=timeout,
            command_timeout=timeout,
            server_settings={"application_name": "memoir-notifications"},
        )
        try:
            connection.add_termination_listener(lambda _: self._changed.set())
            for channel in Channel:
                await connection.add_listener(channel, self._receive)
            if self.server_id is not None:
                await enter(connection, self.server_id)
            yield connection
        finally:
            connection.terminate()

    async def _send_forever(self, connection: Connection) -> None:
        while True:
            await self._wait()
            self._changed.clear()
            # Fails if the connection is closed, which is how its end is noticed.
            if self._unsent:
                await self._send(connection)
                await asyncio.sleep(self._options.interval.total_seconds())
            else:
                await connection.execute(*SQL["check"]())

    async def _send(self, connection: Connection) -> None:
        channels = sorted(self._unsent)
        self._unsent.clear()
        try:
            await connection.execute(*SQL["send_notifications"](channels=channels))
        except BaseException:
            self._unsent.update(channels)
            raise

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(self._options.check_interval.total_seconds()):
                await self._changed.wait()
        except TimeoutError:
            return

    def _receive(self, connection: object, pid: int, channel: str, _payload: object) -> None:
        # The subscribers of this server were already notified of its own notifications.
        if not isinstance(connection, asyncpg.Connection) or pid != connection.get_server_pid():
            self._notify_subscribers(Channel(channel))

    def _notify_all_subscribers(self) -> None:
        for channel in Channel:
            self._notify_subscribers(channel)

    def _notify_subscribers(self, channel: Channel) -> None:
        for on_notice in tuple(self._subscribers[channel]):
            on_notice()
