"""The presence of servers, their leases on scopes, and notifications between them.

https://www.postgresql.org/docs/current/explicit-locking.html#ADVISORY-LOCKS
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Iterator
from collections.abc import Set as AbstractSet
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import asyncpg
import structlog

from server.operations.ports import Channel, ScopeLease
from server.storage.postgres.pool import UNAVAILABLE, Database
from server.storage.postgres.statements import load_sql

PRESENCE_SQL = load_sql("presence.sql")
LEASES_SQL = load_sql("leases.sql")


def new_server_id() -> int:
    """Returns a number that is unique among servers and advisory locks of the database."""
    return secrets.randbits(63)


async def enter(connection: asyncpg.Connection[asyncpg.Record], server_id: int) -> None:
    """Marks the server as present for as long as the connection lasts."""
    await connection.execute(*PRESENCE_SQL["enter"](server_id=server_id))


class PostgresLeases:
    """Implements `server.operations.ports.Leases`."""

    def __init__(self, database: Database, server_id: int | None = None) -> None:
        """`server_id` marks the presence of this server, if it has one."""
        self._database = database
        self._server_id = server_id

    async def acquire(self, lease: ScopeLease, duration: timedelta) -> bool:
        return await self._is_held("acquire", lease, duration=duration, server_id=self._server_id)

    async def renew(self, lease: ScopeLease, duration: timedelta) -> bool:
        return await self._is_held("renew", lease, duration=duration)

    async def release(self, lease: ScopeLease) -> None:
        await self._database.execute(LEASES_SQL["release"](**_key(lease)))

    async def missing(self) -> AbstractSet[int]:
        rows = await self._database.fetch(PRESENCE_SQL["missing"]())
        return {row["server_id"] for row in rows}

    async def end_leases(self, servers: AbstractSet[int]) -> int:
        ended = await self._database.fetchval(PRESENCE_SQL["end_leases"](server_ids=list(servers)))
        return int(ended)

    async def _is_held(self, statement: str, lease: ScopeLease, **values: object) -> bool:
        bound = LEASES_SQL[statement](**_key(lease), **values)
        lease_id = await self._database.fetchval(bound)
        return lease_id is not None


def _key(lease: ScopeLease) -> dict[str, object]:
    return {
        "project_id": lease.project_id,
        "scope_key": lease.scope_key,
        "lease": lease.lease_id,
    }


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
