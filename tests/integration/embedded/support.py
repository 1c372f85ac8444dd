"""Helpers of the tests of the embedded databases."""

import asyncio
import sys
from asyncio.subprocess import PIPE, Process
from contextlib import suppress
from pathlib import Path

import asyncpg
import psutil
from neo4j import AsyncGraphDatabase
from neo4j.exceptions import DriverError, Neo4jError

from server.core.values import Neo4jAddress

ROOT = Path(__file__).parents[3]
LIB_DIR = ROOT / ".local" / "neo4j" / "5.18.0" / "lib"


class Steps:
    """A Progress that records its steps."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def __call__(self, text: str) -> None:
        self.texts.append(text)


async def fetch(dsn: str, statement: str) -> list[asyncpg.Record]:
    connection = await asyncpg.connect(dsn, timeout=30)
    try:
        return list(await connection.fetch(statement))
    finally:
        await connection.close()


async def cypher(address: Neo4jAddress, query: str) -> list[list[object]]:
    auth = (address.user, address.password)
    async with AsyncGraphDatabase.driver(address.uri, auth=auth) as driver:
        result = await driver.execute_query(query, database_="neo4j")
    return [record.values() for record in result.records]


async def postgres_answers(dsn: str) -> bool:
    try:
        await fetch(dsn, "SELECT 1")
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
        return False
    return True


async def neo4j_answers(address: Neo4jAddress) -> bool:
    try:
        await cypher(address, "RETURN 1")
    except (OSError, DriverError, Neo4jError):
        return False
    return True


def processes_of(data_dir: Path) -> list[int]:
    """Return the ids of live processes that work in `data_dir` or were told about it."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if process.status() == psutil.STATUS_ZOMBIE:
                continue
            told = any(str(data_dir) in argument for argument in process.cmdline())
            if told or process.cwd().startswith(str(data_dir)):
                found.append(process.pid)
    return found


class Owner:
    """Another process that starts an embedded database and then waits to be killed."""

    def __init__(self, process: Process, answer: list[str]) -> None:
        self._process = process
        self.answer = answer

    @classmethod
    async def start(cls, kind: str, data_dir: Path) -> "Owner":
        script = Path(__file__).with_name("owner.py")
        process = await asyncio.create_subprocess_exec(
            sys.executable, str(script), kind, str(data_dir), stdout=PIPE, cwd=ROOT
        )
        assert process.stdout is not None
        answer = (await process.stdout.readline()).decode().split()
        assert answer, f"the owner of {data_dir} did not start"
        return cls(process, answer)

    @property
    def pid(self) -> int:
        return self._process.pid

    async def kill(self) -> None:
        """End it as a crash would, without a chance to clean up."""
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()
