"""The needs of a Neo4j server: Java, a port that stays free, a configuration and a password."""

import hashlib
import os
import random
import re
import secrets
import shutil
import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path

from server.embedded.directory import MissingDependencyError, write_private

LOOPBACK = "127.0.0.1"

# Below the ephemeral ports of Linux (from 32768) and macOS (from 49152). Within that range a client
# that keeps connecting to a stopped server may get the server's port as its own source port. It
# then connects to itself, and the server cannot come back.
LOWEST_PORT = 17000
HIGHEST_PORT = 29999

ATTEMPTS = 200


def free_port(preferred: int | None = None) -> int:
    """Returns a loopback TCP port that nobody listens on: `preferred` if it is free.

    Raises:
        OSError: no free port was found.
    """
    if preferred is not None and is_free(preferred):
        return preferred
    # Unpredictable order, so that instances started together rarely pick the same port.
    picker = random.SystemRandom()
    for _ in range(ATTEMPTS):
        port = picker.randint(LOWEST_PORT, HIGHEST_PORT)
        if is_free(port):
            return port
    raise OSError(
        f"no free port between {LOWEST_PORT} and {HIGHEST_PORT} on {LOOPBACK}; "
        "end a program that uses one"
    )


def is_free(port: int) -> bool:
    """Whether a server could listen on the loopback `port` now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As servers do, so that only a listener makes this fail, not a connection in TIME_WAIT.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
            probe.listen(1)
        except OSError:
            return False
    return True


OLDEST_JAVA = 17
VERSION_SECONDS = 30.0

ADVICE = (
    f"install a Java {OLDEST_JAVA} runtime (or point JAVA_HOME at one), "
    "or set MEMOIR_NEO4J_URI to use a Neo4j server of your own"
)


def find_java() -> Path:
    """Returns the Java program of JAVA_HOME, or else of PATH. Blocks while it prints its version.

    Raises:
        MissingDependencyError: there is none or it is too old.
    """
    program = _locate()
    version = _major_version(program)
    if version < OLDEST_JAVA:
        raise MissingDependencyError(
            f"Neo4j needs Java {OLDEST_JAVA}, but {program} is Java {version}: {ADVICE}"
        )
    return program


def _locate() -> Path:
    if home := os.environ.get("JAVA_HOME"):
        program = Path(home) / "bin" / "java"
        if not program.exists():
            raise MissingDependencyError(f"JAVA_HOME is set but {program} is missing: {ADVICE}")
        return program
    found = shutil.which("java")
    if found is None:
        raise MissingDependencyError(f"Neo4j needs Java, and `java` was not found: {ADVICE}")
    return Path(found)


def _major_version(program: Path) -> int:
    try:
        answer = subprocess.run(
            [program, "-version"],
            capture_output=True,
            text=True,
            timeout=VERSION_SECONDS,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise MissingDependencyError(f"{program} does not run ({error}): {ADVICE}") from error
    # Java 8 and older have versions such as 1.8.
    match = re.search(r'version "(?:1\.)?(\d+)', answer.stderr + answer.stdout)
    if match is None:
        raise MissingDependencyError(f"{program} does not print its version: {ADVICE}")
    return int(match.group(1))


USER = "neo4j"
HASH_ITERATIONS = 1024

# Neo4j refuses to start with an unknown setting, so all of these must exist in 5.18.
SETTINGS = (
    f"server.default_listen_address={LOOPBACK}",
    "server.http.enabled=false",
    "server.https.enabled=false",
    "server.memory.pagecache.size=128m",
    # If on, the driver needs a timer and a task for each socket read (before Python 3.12).
    "server.bolt.connection_keep_alive_for_requests=OFF",
    # Otherwise a log file of 256 MB is allocated in advance for each database.
    "db.tx_log.preallocate=false",
    "db.tx_log.rotation.size=32m",
    "db.tx_log.rotation.retention_policy=1 days 256m",
    # Otherwise the server sleeps for five seconds at shutdown, long after its stores are closed.
    "internal.dbms.bolt.netty_server_shutdown_quiet_period=0",
)

JAVA_OPTIONS = (
    "-Xmx512m",
    # With a heap of this size and shared cores, a concurrent collector costs more.
    "-XX:+UseSerialGC",
    # The optimizing compiler needs minutes of processor time before it pays off. Code of the first
    # compiler runs at full speed after seconds.
    "-XX:TieredStopAtLevel=1",
    # The supervisor restarts a process that ended, but not a process that hangs without memory.
    "-XX:+ExitOnOutOfMemoryError",
    "-XX:-UsePerfData",
    "-Dfile.encoding=UTF-8",
    "-Djava.awt.headless=true",
    *(
        f"--add-opens=java.base/{package}=ALL-UNNAMED"
        for package in ("java.nio", "java.io", "sun.nio.ch", "java.lang")
    ),
)


def class_archive(lib_dir: Path) -> Path:
    """Returns the file with the classes that Neo4j loads from `lib_dir`, which need not exist.

    With this file, which `scripts/archive_neo4j.py` writes, Java starts Neo4j in about half the CPU
    time. Java ignores a file of other jars or of another version of Java.
    """
    return lib_dir.with_name("classes.jsa")


def server_arguments(home: Path, lib_dir: Path, java_options: Sequence[str] = ()) -> list[str]:
    """Returns the arguments of `java` that run the Neo4j of `lib_dir` in `home`."""
    archive = class_archive(lib_dir)
    return [
        *JAVA_OPTIONS,
        *([f"-XX:SharedArchiveFile={archive}"] if archive.exists() else []),
        *java_options,
        *("-cp", f"{lib_dir}/*"),
        "org.neo4j.server.CommunityEntryPoint",
        f"--home-dir={home}",
        f"--config-dir={home / 'conf'}",
    ]


def write_configuration(home: Path, port: int) -> None:
    """Writes Neo4j's configuration for a Bolt connector on the loopback `port`."""
    connector = (
        f"server.bolt.listen_address={LOOPBACK}:{port}",
        f"server.bolt.advertised_address={LOOPBACK}:{port}",
    )
    folder = home / "conf"
    folder.mkdir(exist_ok=True)
    (folder / "neo4j.conf").write_text("\n".join((*SETTINGS, *connector, "")))


def choose_port(home: Path) -> int:
    """Returns the port of the last start if it is free, else another, and remembers it.

    Raises:
        OSError: no port is free.
    """
    memory = home / "bolt-port"
    try:
        last = int(memory.read_text())
    except (FileNotFoundError, ValueError):
        last = None
    port = free_port(preferred=last)
    memory.write_text(str(port))
    return port


def ensure_password(home: Path) -> str:
    """Returns the password of `home`, generated at the first start and kept in a private file."""
    path = home / "password"
    if not path.exists():
        write_private(path, secrets.token_urlsafe(24))
    password = path.read_text().strip()
    if not (home / "data" / "databases").exists():
        _set_initial_password(home, password)
    return password


def kept_password(home: Path) -> str:
    """Returns the password of a `home` that was started before.

    Raises:
        OSError: there is none.
    """
    return (home / "password").read_text().strip()


def _set_initial_password(home: Path, password: str) -> None:
    """Writes the hashed password where Neo4j reads it when it creates its system database.

    So Neo4j never runs with its well-known default password.
    """
    salt = secrets.token_bytes(16)
    digest = hashlib.sha256(salt + password.encode()).digest()
    for _ in range(HASH_ITERATIONS - 1):
        digest = hashlib.sha256(digest).digest()
    folder = home / "data" / "dbms"
    folder.mkdir(parents=True, exist_ok=True)
    line = f"{USER}:SHA-256,{digest.hex().upper()},{salt.hex().upper()},{HASH_ITERATIONS}:\n"
    write_private(folder / "auth.ini", line)
