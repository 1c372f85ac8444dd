"""The embedded PostgreSQL: how it starts, stops, survives crashes and keeps others out."""

import asyncio
import os
import signal
from pathlib import Path

import psutil
import pytest

from server.embedded import (
    DataDirectoryInUseError,
    EmbeddedError,
    EmbeddedPostgres,
    StartError,
    no_progress,
    postgres,
)
from tests.integration.embedded.support import (
    Owner,
    Steps,
    fetch,
    postgres_answers,
    processes_of,
)
from tests.support.processes import eventually


async def test_a_restart_needs_no_recovery_and_finds_the_data(tmp_path: Path, steps: Steps) -> None:
    server = EmbeddedPostgres(tmp_path / "pg", steps)
    first_dsn = await server.start()
    await fetch(first_dsn, "CREATE TABLE kept AS SELECT 42 AS answer")
    await server.stop()

    second_dsn = await server.start()
    log = server.log_path.read_text()
    assert log.count("database system was shut down at") == 2
    assert "automatic recovery" not in log
    assert [row["answer"] for row in await fetch(second_dsn, "SELECT * FROM kept")] == [42]
    assert second_dsn == first_dsn
    assert steps.texts == [
        "Creating the PostgreSQL data directory",
        "Starting PostgreSQL",
        "Starting PostgreSQL",
    ]
    await server.stop()


async def test_commits_are_durable_and_pgvector_is_there(home: Path) -> None:
    async with EmbeddedPostgres(home, no_progress) as server:
        for name in ("fsync", "synchronous_commit", "full_page_writes", "data_checksums"):
            assert (await fetch(server.dsn, f"SHOW {name}"))[0][0] == "on"
        await fetch(server.dsn, "CREATE EXTENSION vector")
        rows = await fetch(server.dsn, "SELECT ('[1,2]'::halfvec <-> '[1,4]'::halfvec) AS distance")
        assert rows[0]["distance"] == 2


async def test_postgresql_listens_on_no_network_port(home: Path) -> None:
    async with EmbeddedPostgres(home, no_progress) as server:
        listening = psutil.Process(server.pid).net_connections(kind="inet")
        assert listening == []
        directory = home / "socket"
        assert directory.stat().st_mode & 0o077 == 0


async def test_stop_leaves_no_process(home: Path) -> None:
    server = EmbeddedPostgres(home, no_progress)
    await server.start()
    assert processes_of(home)
    await server.stop()
    assert processes_of(home) == []
    assert server.pid is None


async def test_the_child_has_its_own_session_and_no_secrets(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GEMINI_API_KEY", "not for the database")
    monkeypatch.setenv("PGPORT", "1")
    async with EmbeddedPostgres(home, no_progress) as server:
        assert server.pid is not None
        assert os.getsid(server.pid) == server.pid
        environment = psutil.Process(server.pid).environ()
        assert not {"GEMINI_API_KEY", "PGPORT"} & environment.keys()


async def test_killing_the_owner_ends_the_server_and_loses_nothing(home: Path) -> None:
    owner = await Owner.start("postgres", home)
    try:
        await fetch(owner.answer[0], "CREATE TABLE kept AS SELECT 42 AS answer")
    finally:
        await owner.kill()

    async def is_gone() -> bool:
        return processes_of(home) == []

    await eventually(is_gone, 30)
    async with EmbeddedPostgres(home, no_progress) as server:
        assert (await fetch(server.dsn, "SELECT answer FROM kept"))[0]["answer"] == 42


async def test_a_start_right_after_killing_the_owner_works(home: Path) -> None:
    owner = await Owner.start("postgres", home)
    before = processes_of(home)
    await owner.kill()
    async with EmbeddedPostgres(home, no_progress) as server:
        assert await postgres_answers(server.dsn)
        assert server.pid not in before
        assert not set(before) & set(processes_of(home))


async def test_a_server_that_does_not_end_is_evicted(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "STOP_ORPHAN", ((signal.SIGINT, 0.3), (signal.SIGKILL, 5.0)))
    owner = await Owner.start("postgres", home)
    pid = int((home / "pgdata" / "postmaster.pid").read_text().split()[0])
    os.kill(pid, signal.SIGSTOP)
    await owner.kill()
    async with EmbeddedPostgres(home, no_progress) as server:
        assert await postgres_answers(server.dsn)
        assert pid not in processes_of(home)


async def test_two_instances_run_side_by_side(home: Path, tmp_path: Path) -> None:
    async with (
        EmbeddedPostgres(home, no_progress) as one,
        EmbeddedPostgres(tmp_path / "two", no_progress) as two,
    ):
        await fetch(one.dsn, "CREATE TABLE only_in_one ()")
        statement = "SELECT count(*) FROM pg_class WHERE relname = 'only_in_one'"
        assert (await fetch(one.dsn, statement))[0]["count"] == 1
        assert (await fetch(two.dsn, statement))[0]["count"] == 0


@pytest.mark.parametrize("name", ["long-" + 30 * "name-", "a, b @ 'c' ü"])
async def test_any_data_directory_works(tmp_path: Path, name: str) -> None:
    server = EmbeddedPostgres(tmp_path / name, no_progress)
    first_dsn = await server.start()
    assert await postgres_answers(first_dsn)
    await server.stop()
    assert await server.start() == first_dsn
    await server.stop()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root hands PostgreSQL over to another user")
async def test_root_needs_no_directory_opened_to_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    package = postgres.find_programs().parents[1]
    for folder in (package, package.with_name(f"{package.name}.libs")):
        copying = await asyncio.create_subprocess_exec("cp", "-a", folder, closed)
        assert await copying.wait() == 0
    programs = closed / package.name / "pginstall18" / "bin"
    monkeypatch.setattr(postgres, "find_programs", lambda: programs)

    async with EmbeddedPostgres(closed / "data", no_progress) as server:
        assert await postgres_answers(server.dsn)
        process = psutil.Process(server.pid)
        assert process.exe() == str(programs / "postgres")
        assert 0 not in process.uids()
    assert closed.stat().st_mode & 0o777 == 0o700


async def test_a_directory_has_one_owner(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres, "LOCK_SECONDS", 0.2)
    async with EmbeddedPostgres(home, no_progress) as first:
        with pytest.raises(DataDirectoryInUseError, match=f"process {os.getpid()}"):
            await EmbeddedPostgres(home, no_progress).start()
        assert await postgres_answers(first.dsn)


async def test_a_pid_file_that_names_another_program_is_no_obstacle(home: Path) -> None:
    server = EmbeddedPostgres(home, no_progress)
    await server.start()
    pid_file = home / "pgdata" / "postmaster.pid"
    lines = pid_file.read_text().splitlines()
    # Of the same user, because PostgreSQL itself ignores processes of other users.
    user = pid_file.stat().st_uid if os.geteuid() == 0 else None
    bystander = await asyncio.create_subprocess_exec("sleep", "600", user=user)
    try:
        await server.stop()
        pid_file.write_text("\n".join([str(bystander.pid), *lines[1:], ""]))
        await server.start()
        assert await postgres_answers(server.dsn)
        await server.stop()
        assert bystander.returncode is None
    finally:
        bystander.kill()
        await bystander.wait()


async def test_a_killed_server_restarts_on_the_same_address(home: Path, steps: Steps) -> None:
    async with EmbeddedPostgres(home, steps) as server:
        await fetch(server.dsn, "CREATE TABLE kept AS SELECT 42 AS answer")
        killed = server.pid
        assert killed is not None
        os.kill(killed, signal.SIGKILL)

        async def is_back() -> bool:
            return server.pid not in {None, killed} and await postgres_answers(server.dsn)

        await eventually(is_back, 60)
        assert (await fetch(server.dsn, "SELECT answer FROM kept"))[0]["answer"] == 42
        assert steps.texts[-1] == "PostgreSQL ended with status -9: restarting it in 0.25 s"


async def test_a_failed_start_gives_its_reason_and_leaves_nothing(home: Path) -> None:
    with pytest.raises(StartError, match="no_such_setting"):
        await EmbeddedPostgres(home, no_progress, {"no_such_setting": "1"}).start()
    assert processes_of(home) == []
    async with EmbeddedPostgres(home, no_progress) as server:
        assert await postgres_answers(server.dsn)


async def test_an_incomplete_cluster_is_created_again(tmp_path: Path) -> None:
    partial = tmp_path / "pgdata.part"
    partial.mkdir()
    (partial / "PG_VERSION").write_text("18\n")
    async with EmbeddedPostgres(tmp_path, no_progress) as server:
        assert await postgres_answers(server.dsn)
    assert not partial.exists()


async def test_another_major_version_is_refused(tmp_path: Path) -> None:
    pgdata = tmp_path / "pgdata"
    pgdata.mkdir(mode=0o700)
    (pgdata / "PG_VERSION").write_text("17\n")
    with pytest.raises(EmbeddedError, match=r"created by PostgreSQL 17.*pg_dump"):
        await EmbeddedPostgres(tmp_path, no_progress).start()
