"""Compares Memoir with mem0 on the same machine: calls per second, processor time per call.

    make bench    # or: python -m benchmarks.peer [--calls N]

Memoir runs with default settings, Neo4j and one worker; mem0ai as a service on the same PostgreSQL
(peer_service.py). mem0 is installed into a virtual environment under .local; if that fails, only
Memoir is measured, and the reason is printed.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import grpc
import uvloop
from rich.console import Console

from benchmarks.cases import PLACES, Cases, sentence, user
from benchmarks.load import Figures, closed_loop
from benchmarks.processor_time import (
    NEO4J,
    POSTGRES,
    SERVER,
    milliseconds_a_call,
    processor_seconds,
)
from benchmarks.running import database, prepared
from benchmarks.servers import ROOT, serving
from benchmarks.stores import databases
from benchmarks.tables import grouped_table

PACKAGES = ("mem0ai==2.2.1", "fastapi==0.165.*", "uvicorn==0.54.*", "psycopg[binary,pool]==3.3.*")
FOLDER = ROOT / ".local" / "peer"
INSTALL_SECONDS = 300
CALLERS = 16
WARM_UP_CALLS = 100
INFERRED = 500_000_000
MEMOIR, PEER = "Memoir", "mem0"
KINDS = (SERVER, NEO4J, POSTGRES)
HEADERS = ("", "calls/s", "of mem0", "p50", "p99", "server", "Neo4j", "Postgres")

Call = Callable[[int], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Case:
    """A call, and the number of callers."""

    name: str
    method: str
    callers: int


CASES = (
    Case("verbatim add, 16 callers", "add", CALLERS),
    Case("verbatim add, one caller", "add", 1),
    Case("search, 16 callers", "search", CALLERS),
    Case("search, one caller", "search", 1),
    Case("built-in inference, 16 callers", "infer", CALLERS),
)


@dataclass(frozen=True, slots=True)
class Result:
    """The results of a case for one service, with the processor time per call and process in ms."""

    case: Case
    side: str
    figures: Figures
    processor_ms: Mapping[str, float]


class Unavailable(Exception):
    """mem0 cannot be installed; the message has the reason."""


def peer_python() -> Path:
    """Returns the interpreter of an environment with mem0, after installing it if necessary.

    Raises:
        Unavailable: it cannot be installed.
    """
    stamp, python = FOLDER / "installed", FOLDER / "bin" / "python"
    if stamp.exists() and stamp.read_text(encoding="utf-8") == "\n".join(PACKAGES):
        return python
    try:
        _run(sys.executable, "-m", "venv", os.fspath(FOLDER))
        _run(os.fspath(python), "-m", "pip", "install", "--quiet", *PACKAGES)
    except (OSError, subprocess.SubprocessError) as error:
        output = getattr(error, "stderr", None) or b""
        lines = output.decode(errors="replace").strip().splitlines()
        raise Unavailable(lines[-1] if lines else str(error)) from error
    stamp.write_text("\n".join(PACKAGES), encoding="utf-8")
    return python


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, timeout=INSTALL_SECONDS)


class PeerCases:
    """The calls of mem0's service, with the same messages and users."""

    def __init__(self, session: aiohttp.ClientSession, address: str) -> None:
        self._session = session
        self._url = f"http://{address}"

    async def add(self, number: int) -> None:
        """Adds one message verbatim."""
        await self._add(number, infer=False)

    async def infer(self, number: int) -> None:
        """Adds one message with inference."""
        await self._add(number + INFERRED, infer=True)

    async def search(self, number: int) -> None:
        """Searches one user's memories."""
        query = f"Who has been to {PLACES[number % len(PLACES)]}?"
        await self._post("/search", {"user_id": user(number), "query": query})

    async def _add(self, number: int, *, infer: bool) -> None:
        messages = [{"role": "user", "content": sentence(number)}]
        body = {"user_id": user(number), "infer": infer, "messages": messages}
        await self._post("/memories", body)

    async def _post(self, path: str, body: Mapping[str, object]) -> None:
        async with self._session.post(self._url + path, json=body) as answer:
            answer.raise_for_status()
            await answer.read()


async def measured(side: str, calls: Mapping[str, Call], count: int) -> list[Result]:
    """Measures all cases of one side, each with its own numbers."""
    results, begin = [], 0
    for case in CASES:
        call = calls[case.method]
        # One call alone, because mem0 fails on several concurrent first calls.
        await call(begin)
        begin += 1
        await closed_loop(_from(call, begin), callers=case.callers, calls=WARM_UP_CALLS)
        begin += WARM_UP_CALLS
        before = processor_seconds()
        figures = await closed_loop(_from(call, begin), callers=case.callers, calls=count)
        begin += count
        costs = milliseconds_a_call(before, processor_seconds(), count)
        results.append(Result(case, side, figures, costs))
    return results


def _from(call: Call, begin: int) -> Call:
    return lambda number: call(begin + number)


async def measure_memoir(dsn: str, neo4j: Mapping[str, str], log: Path, count: int) -> list[Result]:
    """Measures Memoir on an empty database."""
    async with (
        prepared(dsn, "memoir", **neo4j) as (environment, key),
        serving("-m", "server", "serve", environment=environment, log=log) as address,
        grpc.aio.insecure_channel(address) as channel,
    ):
        cases = Cases(channel, key)
        calls = {"add": cases.add_one, "search": cases.search, "infer": cases.infer}
        return await measured(MEMOIR, calls, count)


async def measure_peer(python: Path, dsn: str, log: Path, count: int) -> list[Result]:
    """Measures mem0 on an empty database."""
    with tempfile.TemporaryDirectory(prefix="memoir-peer-") as home:
        environment = {**os.environ, "MEM0_TELEMETRY": "False", "MEM0_DIR": home}
        script = os.fspath(ROOT / "benchmarks" / "peer_service.py")
        async with (
            database(dsn, "peer") as own_dsn,
            serving(
                script, own_dsn, str(_free_port()), environment=environment, log=log, python=python
            ) as address,
            aiohttp.ClientSession() as session,
        ):
            await _answers(address)
            cases = PeerCases(session, address)
            calls = {"add": cases.add, "search": cases.search, "infer": cases.infer}
            return await measured(PEER, calls, count)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def _answers(address: str) -> None:
    """Returns once the address accepts connections, because uvicorn starts to listen later."""
    host, _, port = address.rpartition(":")
    async with asyncio.timeout(30):
        while True:
            try:
                _, writer = await asyncio.open_connection(host, int(port))
            except OSError:
                await asyncio.sleep(0.05)
            else:
                writer.close()
                return


def table(results: Sequence[Result]) -> str:
    """Returns a line for each side of each case, with Memoir's ratio."""
    rates = {(result.case, result.side): result.figures.rate for result in results}
    rows: dict[str, list[list[str]]] = {case.name: [] for case in CASES}
    for result in results:
        peer, figures = rates.get((result.case, PEER)), result.figures
        rows[result.case.name].append(
            [
                result.side,
                f"{figures.rate:,.0f}",
                f"{figures.rate / peer:.1f}x" if peer and result.side == MEMOIR else "",
                f"{figures.p50_ms:.1f}",
                f"{figures.p99_ms:.1f}",
                *(f"{result.processor_ms.get(kind, 0.0):.2f}" for kind in KINDS),
            ]
        )
    return grouped_table(HEADERS, rows)


async def main() -> None:
    """Measures both sides and prints a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peer", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--calls", type=int, default=2000, help="calls a case (default: 2000)")
    count = parser.parse_args().calls
    python: Path | None = None
    try:
        python = await asyncio.to_thread(peer_python)
    except Unavailable as reason:
        Console().print(f"mem0 is left out: it cannot be installed here ({reason})", markup=False)
    with tempfile.TemporaryDirectory(prefix="memoir-bench-") as folder:
        log = Path(folder) / "log"
        async with databases() as (dsn, graph):
            neo4j = {
                "MEMOIR_NEO4J_URI": graph.uri,
                "MEMOIR_NEO4J_USER": graph.user,
                "MEMOIR_NEO4J_PASSWORD": graph.password,
            }
            results = await measure_memoir(dsn, neo4j, log, count)
            if python is not None:
                results += await measure_peer(python, dsn, log, count)
    Console().print(table(results), markup=False, highlight=False)
    Console().print("Times are milliseconds; those of processes are processor time for a call.")


if __name__ == "__main__":
    uvloop.run(main())
