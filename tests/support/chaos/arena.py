"""Two servers on databases of their own, and the faults that can be done to them."""

from __future__ import annotations

import asyncio
import random
import signal
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import asyncpg
import grpc
import psutil

from server import failpoints
from server.embedded import EmbeddedNeo4j, EmbeddedPostgres
from tests.support.chaos.network import DEPENDENCIES, Ailment, Network, ailments
from tests.support.chaos.noise import METHODS, code_of, noise
from tests.support.chaos.small_disk import FULL_SECONDS, fill
from tests.support.outbox import outbox_empties
from tests.support.processes import eventually, signal_all
from tests.support.server import CommandFailed, Home, ServerProcess, run_command

FROZEN_SECONDS = 2.0
AILING_SECONDS = 2.0
NOISES = 100
NEVER = frozenset(
    {grpc.StatusCode.UNKNOWN, grpc.StatusCode.INTERNAL, grpc.StatusCode.UNAUTHENTICATED}
)
CONVERGE_SECONDS = 120.0

Fault = Callable[[], Awaitable[str]]


@dataclass
class Arena:
    """What a run of chaos works on. Every fault ends with everything running again."""

    home: Home
    postgres: EmbeddedPostgres
    neo4j: EmbeddedNeo4j
    servers: list[ServerProcess]
    chance: random.Random
    network: Network
    key: str
    disk: Path | None

    async def stop(self) -> None:
        """Ends the servers."""
        for server in self.servers:
            await server.stop()

    def faults(self) -> list[Fault]:
        """All of them; each tells what it did."""
        points = [partial(self.fail_at, name) for name in sorted(failpoints.NAMES)]
        ways = [
            partial(self.ail, dependency, ailment)
            for dependency in DEPENDENCIES
            for ailment in ailments(self.chance)
        ]
        return [
            self.kill_server,
            self.kill_postgres,
            self.kill_neo4j,
            self.freeze_postgres,
            self.freeze_neo4j,
            self.restart_all,
            self.make_noise,
            *([self.fill_disk] if self.disk else []),
            *points,
            *ways,
        ]

    async def kill_server(self) -> str:
        """Ends one server as a crash would, and starts it again."""
        server = self.chance.choice(self.servers)
        await server.kill()
        await server.start()
        return "killed a server"

    async def kill_postgres(self) -> str:
        """Ends PostgreSQL as a crash would; its supervisor starts it again."""
        before = self.postgres.pid
        assert before is not None
        psutil.Process(before).kill()
        await eventually(self._postgres_answers, 60.0, "PostgreSQL after its crash")
        return "killed PostgreSQL"

    async def kill_neo4j(self) -> str:
        """Ends Neo4j as a crash would; its supervisor starts it again."""
        before = self.neo4j.pid
        assert before is not None
        psutil.Process(before).kill()
        return "killed Neo4j"

    async def fill_disk(self) -> str:
        """Leaves PostgreSQL no room for a while."""
        assert self.disk is not None
        await fill(self.disk)
        await eventually(self._postgres_answers, 60.0, "PostgreSQL after its disk was full")
        return f"filled the disk of PostgreSQL for {FULL_SECONDS:g} s"

    async def ail(self, dependency: str, ailment: Ailment) -> str:
        """Makes the way to a dependency bad for a while."""
        await self.network.proxy.poison(dependency, ailment.kind, **ailment.attributes)
        await asyncio.sleep(AILING_SECONDS)
        await self.network.proxy.cure(dependency)
        return f"the way to {dependency}: {ailment.name}, for {AILING_SECONDS:g} s"

    async def make_noise(self) -> str:
        """Sends bytes that no client would."""
        metadata = (("authorization", f"Token {self.key}"),)
        address = self.chance.choice(self.servers).address
        async with grpc.aio.insecure_channel(address) as channel:
            for _ in range(NOISES):
                method = self.chance.choice(METHODS)
                code = await code_of(channel, method, noise(self.chance, method), metadata)
                assert code not in NEVER, f"{method.full_name}: {code}"
        return f"sent {NOISES} malformed requests"

    async def freeze_postgres(self) -> str:
        """Stops PostgreSQL without ending it, for a while."""
        await _freeze(self.postgres.pid)
        return f"stopped PostgreSQL for {FROZEN_SECONDS:g} s"

    async def freeze_neo4j(self) -> str:
        """Stops Neo4j without ending it, for a while."""
        await _freeze(self.neo4j.pid)
        return f"stopped Neo4j for {FROZEN_SECONDS:g} s"

    async def restart_all(self) -> str:
        """Restarts the servers in order, one after the other."""
        for server in self.servers:
            assert await server.stop() == 0, "a server did not stop in order"
            await server.start()
        return "restarted both servers, one after the other"

    async def fail_at(self, name: str) -> str:
        """Has a server die at a failpoint, at its first or a later time, and starts it anew."""
        index = self.chance.randrange(len(self.servers))
        times = self.chance.choice((1, 5))
        await self.servers[index].stop()
        doomed = self.home.server(
            **self.network.variables,
            MEMOIR_ALLOW_FAILPOINTS="true",
            MEMOIR_FAILPOINTS=f"{name}:{times}",
        )
        healthy = self.servers[index]
        # It may come to the place before it has said its address.
        with suppress(AssertionError):
            await doomed.start()
            self.servers[index] = doomed
        died = await _dies(doomed)
        if not died:
            await doomed.kill()
        self.servers[index] = healthy
        await healthy.start()
        return f"{name} at time {times}: {'died' if died else 'was not come to'}"

    async def settled(self) -> None:
        """Returns once the graph has caught up and equals the memories.

        Raises:
            AssertionError: it does not within two minutes.
        """
        await outbox_empties(self.home.postgres_dsn, CONVERGE_SECONDS)
        try:
            await run_command("verify-graph", environment=self.home.environment)
        except CommandFailed as difference:
            raise AssertionError(f"the graph is not equal: {difference}") from None

    async def operations_end(self) -> None:
        """Returns once no asynchronous work is left, accepted or not known to be.

        Raises:
            AssertionError: there is some after two minutes.
        """
        await eventually(self._nothing_is_asked, CONVERGE_SECONDS, "the end of all operations")

    async def _nothing_is_asked(self) -> bool:
        connection = await asyncpg.connect(self.home.postgres_dsn)
        try:
            return not await connection.fetchval(
                "SELECT count(*) FROM operations WHERE end_time IS NULL"
            )
        finally:
            await connection.close()

    async def _postgres_answers(self) -> bool:
        try:
            connection = await asyncpg.connect(self.home.postgres_dsn)
        except (OSError, asyncpg.PostgresError):
            return False
        await connection.close()
        return True


async def _dies(server: ServerProcess, seconds: float = 5.0) -> bool:
    try:
        async with asyncio.timeout(seconds):
            await server.wait()
    except TimeoutError:
        return False
    return True


async def _freeze(pid: int | None) -> None:
    assert pid is not None
    process = psutil.Process(pid)
    family = [process, *process.children(recursive=True)]
    signal_all(family, signal.SIGSTOP)
    await asyncio.sleep(FROZEN_SECONDS)
    signal_all(family, signal.SIGCONT)
