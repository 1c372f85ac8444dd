"""The embedded Neo4j: how it starts, stops and restarts, and what it says if it cannot."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest

from server.core.values import Neo4jAddress
from server.embedded import (
    EmbeddedNeo4j,
    MissingDependencyError,
    StartError,
    neo4j,
    no_progress,
)
from server.embedded.neo4j_home import class_archive, server_arguments
from tests.integration.embedded.support import (
    LIB_DIR,
    Owner,
    Steps,
    cypher,
    neo4j_answers,
    processes_of,
)
from tests.support.processes import eventually


def embedded(data_dir: Path, steps: Steps | None = None) -> EmbeddedNeo4j:
    return EmbeddedNeo4j(data_dir, LIB_DIR, steps or no_progress)


@pytest.fixture(scope="module")
async def running(
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[tuple[EmbeddedNeo4j, Neo4jAddress]]:
    server = embedded(tmp_path_factory.mktemp("neo4j"))
    address = await server.start()
    yield server, address
    await server.stop()


async def test_it_is_the_community_server_5_18(running: tuple[EmbeddedNeo4j, Neo4jAddress]) -> None:
    _, address = running
    query = "CALL dbms.components() YIELD name, versions, edition"
    assert await cypher(address, query) == [["Neo4j Kernel", ["5.18.0"], "community"]]


async def test_it_listens_on_loopback_only(running: tuple[EmbeddedNeo4j, Neo4jAddress]) -> None:
    server, address = running
    assert server.pid is not None
    connections = psutil.Process(server.pid).net_connections(kind="inet")
    listening = {c.laddr for c in connections if c.status == psutil.CONN_LISTEN}
    ips = {laddr.ip.removeprefix("::ffff:") for laddr in listening}
    assert ips == {"127.0.0.1"}
    assert {laddr.port for laddr in listening} == {int(address.uri.rpartition(":")[2])}


async def test_only_the_generated_password_opens_it(
    running: tuple[EmbeddedNeo4j, Neo4jAddress],
) -> None:
    server, address = running
    password_file = server.log_path.with_name("password")
    assert password_file.read_text() == address.password
    assert password_file.stat().st_mode & 0o777 == 0o600
    assert address.password not in repr(address)
    assert not await neo4j_answers(Neo4jAddress(address.uri, "neo4j", "neo4j"))
    assert server.pid is not None
    assert address.password not in " ".join(psutil.Process(server.pid).cmdline())


async def test_a_killed_server_restarts_on_the_same_port(
    running: tuple[EmbeddedNeo4j, Neo4jAddress],
) -> None:
    server, address = running
    await cypher(address, "CREATE (:Kept {answer: 42})")
    killed = server.pid
    assert killed is not None
    os.kill(killed, signal.SIGKILL)

    async def is_back() -> bool:
        return server.pid not in {None, killed} and await neo4j_answers(address)

    await eventually(is_back, 60)
    assert await cypher(address, "MATCH (k:Kept) RETURN k.answer") == [[42]]


async def test_a_start_right_after_killing_the_owner_works_beside_another_instance(
    running: tuple[EmbeddedNeo4j, Neo4jAddress],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(neo4j, "STOP_ORPHAN", ((signal.SIGTERM, 0.3), (signal.SIGKILL, 5.0)))
    _, other_address = running
    owner = await Owner.start("neo4j", tmp_path)
    try:
        first_address = Neo4jAddress(*owner.answer)
        await cypher(first_address, "CREATE (:Kept {answer: 43})")
        before = processes_of(tmp_path)
        assert first_address.uri != other_address.uri
        assert await neo4j_answers(other_address)
        # It does not end by itself, and keeps the stores and the port.
        for pid in set(before) - {owner.pid}:
            os.kill(pid, signal.SIGSTOP)
    finally:
        await owner.kill()

    server = embedded(tmp_path)
    address = await server.start()
    assert await cypher(address, "MATCH (k:Kept) RETURN k.answer") == [[43]]
    assert address == first_address
    assert not set(before) & set(processes_of(tmp_path))

    await server.stop()
    assert processes_of(tmp_path) == []
    assert await neo4j_answers(other_address)


async def test_stopping_while_it_starts_leaves_no_process(tmp_path: Path, steps: Steps) -> None:
    server = embedded(tmp_path, steps)
    await server.spawn()
    waiting = asyncio.create_task(server.wait_ready())

    async def runs() -> bool:
        return server.pid is not None

    await eventually(runs, 60)
    await server.stop()
    assert processes_of(tmp_path) == []
    assert steps.texts == ["Starting Neo4j"]
    with pytest.raises(StartError, match="was stopped"):
        await waiting


async def test_a_server_that_cannot_start_says_why(tmp_path: Path) -> None:
    server = EmbeddedNeo4j(tmp_path, LIB_DIR, no_progress, ["-Xmx1k"])
    with pytest.raises(StartError, match=r"(?s)ended with status 1.*Too small maximum heap"):
        await server.start()
    assert processes_of(tmp_path) == []


def test_java_reads_the_classes_from_an_archive_if_there_is_one(tmp_path: Path) -> None:
    home, lib = tmp_path / "home", tmp_path / "lib"
    without = server_arguments(home, lib)
    archive = class_archive(lib)
    archive.touch()
    assert set(server_arguments(home, lib)) - set(without) == {f"-XX:SharedArchiveFile={archive}"}


async def test_missing_jars_name_the_command_that_fetches_them(tmp_path: Path) -> None:
    with pytest.raises(MissingDependencyError, match="make neo4j"):
        await EmbeddedNeo4j(tmp_path / "data", tmp_path / "lib", no_progress).spawn()


async def test_missing_java_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingDependencyError, match="`java` was not found: install a Java 17"):
        await embedded(tmp_path / "data").spawn()


@pytest.mark.parametrize(
    ("version", "major"), [("11.0.22", "11"), ("1.8.0_402", "8"), ("16-ea", "16")]
)
async def test_java_that_is_too_old_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str, major: str
) -> None:
    java = tmp_path / "bin" / "java"
    java.parent.mkdir()
    java.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\" 2024-01-16' >&2\n")
    java.chmod(0o755)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(MissingDependencyError, match=f"needs Java 17, but {java} is Java {major}"):
        await embedded(tmp_path / "data").spawn()


async def test_a_java_home_without_java_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(MissingDependencyError, match="JAVA_HOME is set but"):
        await embedded(tmp_path / "data").spawn()
