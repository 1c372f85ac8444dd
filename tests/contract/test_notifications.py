"""The contract of notices between servers, held on PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta

import asyncpg

from server.core.background import running
from server.operations.ports import Channel
from server.storage.postgres.pool import Database
from server.storage.postgres.servers import (
    NotificationOptions,
    PostgresLeases,
    PostgresNotifications,
    new_server_id,
)

NOTICE = Channel.MEMORY_EVENTS
FAST = NotificationOptions(
    interval=timedelta(milliseconds=1), retry_interval=timedelta(milliseconds=10)
)
LISTENERS = "FROM pg_stat_activity WHERE datname = current_database() AND application_name = $1"
NAME = "memoir-notifications"


class Listener:
    """Counts notices, and waits for them."""

    def __init__(self) -> None:
        self.notices = 0
        self._heard = asyncio.Event()

    def __call__(self) -> None:
        self.notices += 1
        self._heard.set()

    async def next_notice(self) -> None:
        """Returns at the next notice since the last time."""
        await asyncio.wait_for(self._heard.wait(), 30)
        self._heard.clear()


@asynccontextmanager
async def server(
    dsn: str, server_id: int | None = None
) -> AsyncIterator[tuple[PostgresNotifications, Listener]]:
    """One server's notifications, connected, with a subscriber."""
    notifications, listener = PostgresNotifications(dsn, FAST, server_id), Listener()
    async with AsyncExitStack() as stack:
        stack.enter_context(notifications.subscribe(NOTICE, listener))
        await stack.enter_async_context(running("notifications", notifications.run()))
        await listener.next_notice()
        yield notifications, listener


async def test_every_server_receives_a_notification(postgres_dsn: str) -> None:
    async with server(postgres_dsn) as (first, listener), server(postgres_dsn) as (_, other):
        first.notify(NOTICE)
        await asyncio.gather(listener.next_notice(), other.next_notice())


async def test_a_server_receives_its_own_notification_once_and_at_once(postgres_dsn: str) -> None:
    async with server(postgres_dsn) as (first, listener), server(postgres_dsn) as (_, other):
        before = listener.notices
        first.notify(NOTICE)
        assert listener.notices == before + 1
        await other.next_notice()
        first.notify(NOTICE)
        await other.next_notice()
        assert listener.notices == before + 2


async def test_notices_that_come_together_are_sent_together(postgres_dsn: str) -> None:
    async with server(postgres_dsn) as (first, _), server(postgres_dsn) as (_, other):
        before = other.notices
        for _ in range(1000):
            first.notify(NOTICE)
        await other.next_notice()
        assert other.notices == before + 1


async def test_after_unsubscribing_no_notification_is_received(postgres_dsn: str) -> None:
    notifications, listener = PostgresNotifications(postgres_dsn, FAST), Listener()
    with notifications.subscribe(NOTICE, listener):
        pass
    notifications.notify(NOTICE)
    assert listener.notices == 0


async def test_a_lost_connection_is_replaced_and_counts_as_a_notice(postgres_dsn: str) -> None:
    administrator = await asyncpg.connect(postgres_dsn)
    async with server(postgres_dsn) as (_, listener), server(postgres_dsn) as (other, _):
        ended = await administrator.fetch(f"SELECT pg_terminate_backend(pid) {LISTENERS}", NAME)
        assert len(ended) == 2
        await listener.next_notice()
        while await administrator.fetchval(f"SELECT count(*) {LISTENERS}", NAME) < 2:
            pass
        before = listener.notices
        other.notify(NOTICE)
        while listener.notices == before:
            await listener.next_notice()
    await administrator.close()


async def test_a_server_is_present_while_it_is_connected(
    postgres_dsn: str, database: Database
) -> None:
    presence, server_id = PostgresLeases(database), new_server_id()
    async with server(postgres_dsn, server_id) as (_, listener):
        assert await presence.missing() == set()
        async with database.connection() as administrator:
            await administrator.fetch(f"SELECT pg_terminate_backend(pid) {LISTENERS}", NAME)
        await listener.next_notice()
        # The notice came with the new connection.
        assert await presence.missing() == set()
    while await presence.missing() != {server_id}:
        pass


async def test_a_server_works_without_its_database(empty_postgres_dsn: str) -> None:
    away = empty_postgres_dsn.replace("/test_", "/nowhere_")
    notifications, listener = PostgresNotifications(away, FAST), Listener()
    with notifications.subscribe(NOTICE, listener):
        async with running("notifications", notifications.run()):
            notifications.notify(NOTICE)
            assert listener.notices == 1
