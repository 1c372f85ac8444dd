"""Servers with their own databases, and faults of their processes."""

from __future__ import annotations

import asyncio
import random
import signal
from dataclasses import dataclass

import asyncpg
import psutil

from server.embedded import EmbeddedNeo4j, EmbeddedPostgres
from tests.support.outbox import outbox_empties
from tests.support.processes import eventually, signal_all
from tests.support.server import CommandFailed, Home, ServerProcess, run_command

FROZEN_SECONDS = 2.0
CONVERGE_SECONDS = 120.0


@dataclass
class Deployment:
    """Two servers and their databases.

    Each fault returns a description. After it, all processes run again or are starting.
    """

    home: Home
    postgres: EmbeddedPostgres
    neo4j: EmbeddedNeo4j
    servers: list[ServerProcess]
    chance: random.Random

    async def stop(self) -> None:
        """Stops the servers."""
        for server in self.servers:
            await server.stop()

    async def kill_server(self) -> str:
        """Kills one server and restarts it."""
        server = self.chance.choice(self.servers)
        await server.kill()
        await server.start()
        return "killed a server"

    async def kill_postgres(self) -> str:
        """Kills PostgreSQL; its supervisor restarts it."""
        before = self.postgres.pid
        assert before is not None
        psutil.Process(before).kill()
        await eventually(self.postgres_answers, 60.0, "PostgreSQL after its crash")
        return "killed PostgreSQL"

    async def kill_neo4j(self) -> str:
        """Kills Neo4j; its supervisor restarts it."""
        before = self.neo4j.pid
        assert before is not None
        psutil.Process(before).kill()
        return "killed Neo4j"

    async def freeze_postgres(self) -> str:
        """Suspends PostgreSQL for a while (SIGSTOP)."""
        await _freeze(self.postgres.pid)
        return f"stopped PostgreSQL for {FROZEN_SECONDS:g} s"

    async def freeze_neo4j(self) -> str:
        """Suspends Neo4j for a while (SIGSTOP)."""
        await _freeze(self.neo4j.pid)
        return f"stopped Neo4j for {FROZEN_SECONDS:g} s"

    async def restart_all(self) -> str:
        """Stops and restarts the servers gracefully, one after the other."""
        for server in self.servers:
            assert await server.stop() == 0, "a server did not stop gracefully"
            await server.start()
        return "restarted both servers gracefully, one after the other"

    async def operations_end(self) -> None:
        """Returns once no asynchronous operation is left, including those of unknown outcome.

        Raises:
            AssertionError: some are left after two minutes.
        """
        await eventually(self._no_operation_is_left, CONVERGE_SECONDS, "the end of all operations")

    async def settled(self) -> None:
        """Returns once the graph has caught up and equals the memories.

        Raises:
            AssertionError: it differs after two minutes.
        """
        await outbox_empties(self.home.postgres_dsn, CONVERGE_SECONDS)
        try:
            await run_command("verify-graph", environment=self.home.environment)
        except CommandFailed as difference:
            raise AssertionError(f"the graph differs: {difference}") from None

    async def _no_operation_is_left(self) -> bool:
        connection = await asyncpg.connect(self.home.postgres_dsn)
        try:
            return not await connection.fetchval(
                "SELECT count(*) FROM operations WHERE end_time IS NULL"
            )
        finally:
            await connection.close()

    async def postgres_answers(self) -> bool:
        """Whether PostgreSQL accepts connections."""
        try:
            connection = await asyncpg.connect(self.home.postgres_dsn)
        except (OSError, asyncpg.PostgresError):
            return False
        await connection.close()
        return True


async def _freeze(pid: int | None) -> None:
    assert pid is not None
    process = psutil.Process(pid)
    family = [process, *process.children(recursive=True)]
    signal_all(family, signal.SIGSTOP)
    await asyncio.sleep(FROZEN_SECONDS)
    signal_all(family, signal.SIGCONT)
