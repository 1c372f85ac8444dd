"""A real PostgreSQL 18 with pgvector as a child process."""

import signal
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from urllib.parse import quote

import asyncpg

from server.embedded import postgres_cluster as cluster
from server.embedded.directory import (
    Progress,
    SocketDirectory,
    choose_account,
    make_private,
)
from server.embedded.process import (
    ChildCommand,
    ChildProcess,
    EmbeddedServer,
    Escalation,
    Supervisor,
    evict,
)

NAME = "PostgreSQL"

# Their effects on PostgreSQL: roll back and shut down; stop now and recover later; die.
STOP: Escalation = ((signal.SIGINT, 20.0), (signal.SIGQUIT, 5.0), (signal.SIGKILL, 5.0))
STOP_ORPHAN: Escalation = ((signal.SIGINT, 5.0), (signal.SIGQUIT, 3.0), (signal.SIGKILL, 3.0))
STOP_ORPHAN_WORKER: Escalation = ((signal.SIGQUIT, 3.0), (signal.SIGKILL, 3.0))

LOCK_SECONDS = 10.0
READY_SECONDS = 120.0
CONNECT_SECONDS = 5.0


class EmbeddedPostgres(EmbeddedServer):
    """A PostgreSQL cluster in `data_dir` that is reached only through a Unix socket.

    It is created at the first start, and restarted at the same address if it ends unexpectedly.
    `settings` add to or replace the server's settings; these keep every commit durable.
    """

    def __init__(
        self, data_dir: Path, progress: Progress, settings: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(data_dir, "postgres.log", progress)
        self._pgdata = self._home / "pgdata"
        self._settings = dict(settings or {})
        self._sockets = SocketDirectory(self._home, f".s.PGSQL.{cluster.PORT}")

    @property
    def dsn(self) -> str:
        """The superuser's DSN, for asyncpg; valid after `start`."""
        # The port is explicit because PGPORT would replace it otherwise.
        host = quote(str(self._sockets.path), safe="")
        return f"postgresql://postgres@/postgres?host={host}&port={cluster.PORT}"

    async def start(self) -> str:
        """Starts the server, waits until it accepts connections, and returns its DSN.

        Raises EmbeddedError if it cannot be started; nothing is left running then.
        """
        make_private(self._home)
        await self._lock.acquire(LOCK_SECONDS)
        try:
            await self._evict_orphans()
            launch = partial(self._launch, await self._prepare())
            self._progress.step("Starting PostgreSQL")
            self._supervisor = Supervisor(NAME, launch, STOP, self._log, self._progress)
            self._supervisor.begin()
            await self._supervisor.until(self._answers, READY_SECONDS)
        except BaseException:
            await self.stop()
            raise
        return self.dsn

    async def _prepare(self) -> ChildCommand:
        programs = cluster.find_programs()
        account = choose_account(self._pgdata, programs)
        if not cluster.exists(self._pgdata):
            self._progress.step("Creating the PostgreSQL data directory")
            await cluster.create(self._pgdata, programs, account, self._log)
        self._sockets.create(account)
        arguments = cluster.server_arguments(self._pgdata, self._sockets.path, self._settings)
        return ChildCommand(
            arguments=[str(programs / "postgres"), *arguments],
            cwd=self._home,
            log=self._log,
            death_signal=signal.SIGINT,
            account=account,
        )

    async def _launch(self, command: ChildCommand) -> ChildProcess:
        # After a crash the workers of the dead server may still hold its shared memory.
        await self._evict_orphans()
        cluster.remove_foreign_pid_file(self._pgdata)
        return ChildProcess.spawn(command)

    async def _evict_orphans(self) -> None:
        # The server first: it stops its workers in order, but would restart workers that died.
        await evict(partial(cluster.is_server, self._pgdata), STOP_ORPHAN)
        await evict(partial(cluster.works_on, self._pgdata), STOP_ORPHAN_WORKER)

    async def _answers(self) -> bool:
        try:
            connection = await asyncpg.connect(self.dsn, timeout=CONNECT_SECONDS)
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
            return False
        await connection.close()
        return True
