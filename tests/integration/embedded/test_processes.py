"""Child processes, ports and locks, without a database."""

import asyncio
import os
import signal
import socket
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import psutil
import pytest

from server.embedded import DataDirectoryInUseError, EmbeddedError
from server.embedded.child import ChildCommand, ChildProcess, evict
from server.embedded.directory import MAX_LOG_BYTES, DirectoryLock, make_private, open_log
from server.embedded.neo4j_home import HIGHEST_PORT, LOOPBACK, LOWEST_PORT, free_port, is_free
from server.embedded.process import SupervisedProcess
from tests.integration.embedded.support import Steps
from tests.support.processes import eventually

STUBBORN = """
import signal, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("ready", flush=True)
signal.pause()
"""


def python(tmp_path: Path, code: str) -> ChildCommand:
    return ChildCommand(
        arguments=[sys.executable, "-c", code],
        cwd=tmp_path,
        log=tmp_path / "log",
        death_signal=signal.SIGKILL,
    )


async def spawn_stubborn(tmp_path: Path) -> ChildProcess:
    child = ChildProcess.spawn(python(tmp_path, STUBBORN))

    async def is_ready() -> bool:
        return "ready" in (tmp_path / "log").read_text()

    await eventually(is_ready, 60)
    return child


async def test_a_child_process_survives_the_thread_that_started_it(tmp_path: Path) -> None:
    def spawn_and_see_it_run() -> ChildProcess:
        return asyncio.run(spawn_stubborn(tmp_path))

    with ThreadPoolExecutor(max_workers=1) as executor:
        child = await asyncio.wrap_future(executor.submit(spawn_and_see_it_run))
    assert await child.wait(timeout=0.5) is None
    await child.stop([(signal.SIGKILL, 5.0)])


async def test_stop_escalates_to_the_signal_that_works(tmp_path: Path) -> None:
    child = await spawn_stubborn(tmp_path)
    await child.stop([(signal.SIGTERM, 0.1), (signal.SIGKILL, 5.0)])
    assert child.exit_status() == -signal.SIGKILL


async def test_a_program_that_is_missing_ends_with_a_reason(tmp_path: Path) -> None:
    command = ChildCommand(["/no/such/program"], tmp_path, tmp_path / "log", signal.SIGKILL)
    assert await ChildProcess.spawn(command).wait(timeout=30) == 1
    assert "No such file or directory" in (tmp_path / "log").read_text()


async def test_evict_stops_exactly_what_matches(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    orphan = await spawn_stubborn(tmp_path / "one")
    bystander = await spawn_stubborn(tmp_path / "two")

    def is_orphan(process: psutil.Process) -> bool:
        return process.cwd() == str(tmp_path / "one")

    assert await evict(is_orphan, [(signal.SIGTERM, 0.1), (signal.SIGKILL, 5.0)]) == 1
    assert orphan.exit_status() == -signal.SIGKILL
    assert bystander.exit_status() is None
    with pytest.raises(EmbeddedError, match=rf"\[{bystander.pid}\] of an earlier run do not end"):
        await evict(lambda process: process.pid == bystander.pid, [(signal.SIGTERM, 0.1)])
    await bystander.stop([(signal.SIGKILL, 5.0)])


async def test_the_supervisor_waits_longer_after_each_failure(tmp_path: Path, steps: Steps) -> None:
    async def launch(command: ChildCommand) -> ChildProcess:
        return ChildProcess.spawn(command)

    failing = partial(launch, python(tmp_path, "raise SystemExit(3)"))
    process = SupervisedProcess("It", failing, [(signal.SIGKILL, 5.0)], tmp_path / "log", steps)
    process.begin()

    async def failed_twice() -> bool:
        return len(steps.texts) == 2

    await eventually(failed_twice, 60)
    await process.stop()
    assert steps.texts == [
        "It ended with status 3: restarting it in 0.25 s",
        "It ended with status 3: restarting it in 0.5 s",
    ]
    assert process.pid is None


async def test_the_supervisor_stops_what_a_slow_launch_still_starts(
    tmp_path: Path, steps: Steps
) -> None:
    launching, go = asyncio.Event(), asyncio.Event()
    started: list[ChildProcess] = []

    async def launch() -> ChildProcess:
        launching.set()
        await go.wait()
        started.append(ChildProcess.spawn(python(tmp_path, STUBBORN)))
        return started[0]

    process = SupervisedProcess("It", launch, [(signal.SIGKILL, 5.0)], tmp_path / "log", steps)
    process.begin()
    await launching.wait()
    stopping = asyncio.create_task(process.stop())
    await asyncio.sleep(0)
    go.set()
    async with asyncio.timeout(30):
        await stopping
    assert started[0].exit_status() == -signal.SIGKILL
    assert steps.texts == []


async def test_the_supervisor_reports_a_launch_that_fails(tmp_path: Path, steps: Steps) -> None:
    async def launch() -> ChildProcess:
        raise OSError("no more processes")

    process = SupervisedProcess("It", launch, [], tmp_path / "log", steps)
    process.begin()

    async def has_failed() -> bool:
        return bool(steps.texts)

    await eventually(has_failed, 60)
    await process.stop()
    assert steps.texts[0].startswith("It could not be started (no more processes)")


def test_ports_are_outside_the_ephemeral_range_and_reused_if_free() -> None:
    port = free_port()
    assert LOWEST_PORT <= port <= HIGHEST_PORT
    assert free_port(preferred=port) == port
    with socket.create_server((LOOPBACK, port)):
        assert not is_free(port)
        assert free_port(preferred=port) != port


async def test_a_lock_is_waited_for_and_released(tmp_path: Path) -> None:
    first, second = DirectoryLock(tmp_path), DirectoryLock(tmp_path)
    await first.acquire(timeout=0)
    with pytest.raises(DataDirectoryInUseError, match=str(os.getpid())):
        await second.acquire(timeout=0)
    waiting = asyncio.create_task(second.acquire(timeout=30))
    await asyncio.sleep(0)
    first.release()
    await waiting
    second.release()


def test_a_large_log_is_set_aside(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"x" * (MAX_LOG_BYTES + 1))
    with open_log(log) as file:
        file.write(b"new")
    assert log.read_bytes() == b"new"
    assert log.stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "log.1").stat().st_size == MAX_LOG_BYTES + 1


def test_a_data_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EmbeddedError, match=r"cannot create .*MEMOIR_DATA_DIR"):
        make_private(tmp_path / "file" / "data")
