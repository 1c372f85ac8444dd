"""A real Neo4j 5.18 Community server as a child process."""

import asyncio
import signal
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import psutil
from neo4j import AsyncGraphDatabase
from neo4j.exceptions import AuthError, DriverError, Neo4jError

from server.core.values import Neo4jAddress
from server.embedded import neo4j_home
from server.embedded.child import ChildCommand, ChildProcess, Escalation, evict
from server.embedded.directory import (
    EmbeddedError,
    MissingDependencyError,
    Progress,
    StartError,
    make_private,
)
from server.embedded.neo4j_home import LOOPBACK, find_java
from server.embedded.process import EmbeddedServer, SupervisedProcess

NAME = "Neo4j"
SERVER_JARS = "neo4j-server-*.jar"

STOP: Escalation = ((signal.SIGTERM, 15.0), (signal.SIGKILL, 5.0))
# Its transaction log makes a kill harmless, so the next start need not wait for long.
STOP_ORPHAN: Escalation = ((signal.SIGTERM, 4.0), (signal.SIGKILL, 5.0))

LOCK_SECONDS = 10.0
READY_SECONDS = 180.0
QUERY_SECONDS = 10.0


def running_at(data_dir: Path, uri: str) -> Neo4jAddress:
    """Returns the address of the server of `data_dir` that another process runs at `uri`.

    Raises:
        StartError: no server was ever started there.
    """
    try:
        password = neo4j_home.kept_password(data_dir)
    except OSError as error:
        raise StartError(
            f"no Neo4j was ever started in {data_dir}; check MEMOIR_DATA_DIR"
        ) from error
    return Neo4jAddress(uri, neo4j_home.USER, password)


class EmbeddedNeo4j(EmbeddedServer):
    """A Neo4j server in `data_dir`, run from the jars in `lib_dir`, on a loopback port.

    It is restarted on the same port, after growing pauses, if it ends unexpectedly.
    `java_options` override the options of this module.
    """

    def __init__(
        self,
        data_dir: Path,
        lib_dir: Path,
        progress: Progress,
        java_options: Sequence[str] = (),
    ) -> None:
        super().__init__(data_dir, "console.log", progress)
        self._lib_dir = lib_dir.expanduser().resolve()
        self._java_options = tuple(java_options)
        self._address: Neo4jAddress | None = None

    async def start(self) -> Neo4jAddress:
        """Starts the server, waits until it answers a query, and returns its address.

        Raises:
            EmbeddedError: it cannot be started; nothing is left running then.
        """
        address = await self.spawn()
        try:
            await self.wait_ready()
        except BaseException:
            await self.stop()
            raise
        return address

    async def spawn(self) -> Neo4jAddress:
        """Starts the server and returns its address, without waiting until it answers.

        Raises:
            EmbeddedError: it cannot even be tried: no Java, no jars, a directory in use.
        """
        self._require_jars()
        java = await asyncio.to_thread(find_java)
        make_private(self._home)
        await self._lock.acquire(LOCK_SECONDS)
        try:
            await evict(self._is_ours, STOP_ORPHAN)
            self._address = address = self._prepare()
        except BaseException:
            self._lock.release()
            raise
        self._progress("Starting Neo4j")
        spawn = partial(self._spawn, java)
        self._process = SupervisedProcess(NAME, spawn, STOP, self._log, self._progress)
        self._process.begin()
        return address

    async def wait_ready(self) -> None:
        """Waits until the spawned server answers a query.

        Raises:
            StartError: it ends instead, refuses the stored password, or has not answered
                after READY_SECONDS.
        """
        if self._process is None:
            raise StartError("Neo4j has not been spawned")
        await self._process.until(self._answers, READY_SECONDS)

    def _require_jars(self) -> None:
        if not any(self._lib_dir.glob(SERVER_JARS)):
            raise MissingDependencyError(
                f"the Neo4j server is not in {self._lib_dir}: run `make neo4j`, or set "
                "MEMOIR_NEO4J_URI to use your own server"
            )

    def _prepare(self) -> Neo4jAddress:
        try:
            port = neo4j_home.choose_port(self._home)
            neo4j_home.write_configuration(self._home, port)
            password = neo4j_home.ensure_password(self._home)
        except OSError as error:
            raise EmbeddedError(f"cannot prepare {self._home} for Neo4j: {error}") from error
        return Neo4jAddress(f"bolt://{LOOPBACK}:{port}", neo4j_home.USER, password)

    async def _spawn(self, java: Path) -> ChildProcess:
        arguments = neo4j_home.server_arguments(self._home, self._lib_dir, self._java_options)
        return ChildProcess.spawn(
            ChildCommand(
                arguments=[str(java), *arguments],
                cwd=self._home,
                log=self._log,
                death_signal=signal.SIGTERM,
            )
        )

    def _is_ours(self, process: psutil.Process) -> bool:
        return f"--home-dir={self._home}" in process.cmdline()

    async def _answers(self) -> bool:
        if self._address is None:
            return False
        try:
            await asyncio.wait_for(_query(self._address), QUERY_SECONDS)
        except AuthError as error:
            raise StartError(
                f"Neo4j refuses the password in {self._home / 'password'}: remove {self._home} "
                "and start again"
            ) from error
        except (OSError, TimeoutError, DriverError, Neo4jError):
            return False
        return True


async def _query(address: Neo4jAddress) -> None:
    # A plain connection first, because the driver would spend a second or more on retries.
    host, port = address.uri.removeprefix("bolt://").split(":")
    _, writer = await asyncio.open_connection(host, int(port))
    writer.close()
    auth = (address.user, address.password)
    async with AsyncGraphDatabase.driver(
        address.uri, auth=auth, max_connection_pool_size=1
    ) as driver:
        await driver.execute_query("RETURN 1", database_="neo4j")
