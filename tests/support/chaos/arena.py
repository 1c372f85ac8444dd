"""All faults for a deployment whose connections go through toxiproxy."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import grpc

from benchmarks.ghz import Target, open_loop
from server import failpoints
from tests.support.chaos.deployment import Deployment
from tests.support.chaos.hostile import SECONDS, be_hostile
from tests.support.chaos.network import DEPENDENCIES, ConnectionFault, Network, connection_faults
from tests.support.chaos.noise import METHODS, code_of, noise
from tests.support.chaos.small_disk import FULL_SECONDS, fill
from tests.support.processes import eventually
from tests.support.server import ServerProcess

DISTURBED_SECONDS = 2.0
NOISES = 100
FLOOD_RATE, FLOOD_SECONDS = 2_000.0, 3.0
NEVER = frozenset(
    {grpc.StatusCode.UNKNOWN, grpc.StatusCode.INTERNAL, grpc.StatusCode.UNAUTHENTICATED}
)

Fault = Callable[[], Awaitable[str]]


@dataclass
class Arena(Deployment):
    """The deployment of a chaos run.

    `disk` holds the data of PostgreSQL if it can be filled. `hostile_key` belongs to another
    project than `key`.
    """

    network: Network
    key: str
    hostile_key: str
    disk: Path | None

    def faults(self) -> list[Fault]:
        """Returns all faults; each returns a description of what it did."""
        points = [partial(self.fail_at, name) for name in sorted(failpoints.NAMES)]
        ways = [
            partial(self.disturb, dependency, fault)
            for dependency in DEPENDENCIES
            for fault in connection_faults(self.chance)
        ]
        return [
            self.kill_server,
            self.kill_postgres,
            self.kill_neo4j,
            self.freeze_postgres,
            self.freeze_neo4j,
            self.restart_all,
            self.make_noise,
            self.flood,
            self.crowd,
            *([self.fill_disk] if self.disk else []),
            *points,
            *ways,
        ]

    async def fill_disk(self) -> str:
        """Fills the disk of PostgreSQL for a while."""
        assert self.disk is not None
        await fill(self.disk)
        await eventually(self.postgres_answers, 60.0, "PostgreSQL after its disk was full")
        return f"filled the disk of PostgreSQL for {FULL_SECONDS:g} s"

    async def disturb(self, dependency: str, fault: ConnectionFault) -> str:
        """Disturbs the connections to a dependency for a while."""
        await self.network.proxy.poison(dependency, fault.kind, **fault.attributes)
        await asyncio.sleep(DISTURBED_SECONDS)
        await self.network.proxy.cure(dependency)
        return f"connections to {dependency}: {fault.name}, for {DISTURBED_SECONDS:g} s"

    async def make_noise(self) -> str:
        """Sends malformed requests."""
        metadata = (("authorization", f"Token {self.key}"),)
        address = self.chance.choice(self.servers).address
        async with grpc.aio.insecure_channel(address) as channel:
            for _ in range(NOISES):
                method = self.chance.choice(METHODS)
                code = await code_of(channel, method, noise(self.chance, method), metadata)
                assert code not in NEVER, f"{method.full_name}: {code}"
        return f"sent {NOISES} malformed requests"

    async def flood(self) -> str:
        """Sends searches at several times the capacity of the servers, ignoring their outcome."""
        address = self.chance.choice(self.servers).address
        body = {"user_id": "user-{{randomInt 0 20}}", "query": "who says this?"}
        target = Target(address, self.key, "memoir.v1.MemoryService/SearchMemories", body)
        run = await open_loop(target, rate=FLOOD_RATE, deadline=1.0, seconds=FLOOD_SECONDS)
        return f"{run.calls} searches in {FLOOD_SECONDS:g} s, of which {run.statuses['OK']} served"

    async def crowd(self) -> str:
        """Overloads one server with calls of another project."""
        address = self.chance.choice(self.servers).address
        ends = await be_hostile(address, self.hostile_key)
        assert not ends.keys() & {code.name for code in NEVER}, ends
        return f"another project made {ends.total()} calls in {SECONDS:g} s: {dict(ends)}"

    async def fail_at(self, name: str) -> str:
        """Makes a server die at the first or a later hit of a failpoint, and restarts it."""
        index = self.chance.randrange(len(self.servers))
        times = self.chance.choice((1, 5))
        await self.servers[index].stop()
        doomed = self.home.server(
            **self.network.variables,
            MEMOIR_ALLOW_FAILPOINTS="true",
            MEMOIR_FAILPOINTS=f"{name}:{times}",
        )
        healthy = self.servers[index]
        # It may hit the failpoint before it has printed its address.
        with suppress(AssertionError):
            await doomed.start()
            self.servers[index] = doomed
        died = await _dies(doomed)
        if not died:
            await doomed.kill()
        self.servers[index] = healthy
        await healthy.start()
        return f"{name}, hit {times}: {'died' if died else 'not reached'}"


async def _dies(server: ServerProcess, seconds: float = 5.0) -> bool:
    try:
        async with asyncio.timeout(seconds):
            await server.wait()
    except TimeoutError:
        return False
    return True
