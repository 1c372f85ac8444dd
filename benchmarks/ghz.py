"""Load by ghz (https://ghz.sh), which uses far less processor time than callers in Python."""

from __future__ import annotations

import asyncio
import json
import shutil
import tempfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from google.protobuf.descriptor import FileDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from memoir.v1 import memory_service_pb2

ROOT = Path(__file__).resolve().parent.parent
CONNECTIONS = 8
NANOSECONDS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Target:
    """A method to call, with a body in ghz's templates.

    Source of the templates: https://ghz.sh/docs/calldata
    """

    address: str
    key: str
    method: str
    body: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Run:
    """The results of one run: calls by status, and the sorted seconds of successful calls."""

    seconds: float
    statuses: Counter[str]
    latencies: tuple[float, ...]

    @property
    def calls(self) -> int:
        """The number of calls."""
        return self.statuses.total()

    @property
    def goodput(self) -> float:
        """Successful answers per second; calls beyond their deadline are not successful."""
        return self.statuses["OK"] / self.seconds

    def percentile_ms(self, percent: int) -> float:
        """Returns a percentile of the latencies of successful calls, in milliseconds."""
        if not self.latencies:
            return float("nan")
        place = min(len(self.latencies) - 1, len(self.latencies) * percent // 100)
        return self.latencies[place] * 1000


async def closed(target: Target, *, callers: int, seconds: float) -> Run:
    """Runs callers that call again as soon as they are answered."""
    return await _run(target, seconds, f"--concurrency={callers}")


async def open_loop(target: Target, *, rate: float, deadline: float, seconds: float) -> Run:
    """Sends calls at a fixed rate, whether or not earlier calls have been answered."""
    return await _run(
        target,
        seconds,
        "--async",
        f"--concurrency={CONNECTIONS}",
        f"--rps={round(rate)}",
        f"--timeout={round(deadline * 1000)}ms",
    )


def executable() -> str:
    """Returns the path of ghz.

    Raises:
        RuntimeError: it is not installed.
    """
    found = shutil.which("ghz") or shutil.which("ghz", path=str(ROOT / ".local" / "bin"))
    if found is None:
        raise RuntimeError("ghz is needed: `make tools` builds it")
    return found


def contract() -> bytes:
    """Returns the contract in ghz's format, dependencies first."""
    result = FileDescriptorSet()

    def add(file: FileDescriptor) -> None:
        if all(known.name != file.name for known in result.file):
            for dependency in file.dependencies:
                add(dependency)
            file.CopyToProto(result.file.add())

    add(memory_service_pb2.DESCRIPTOR)
    return result.SerializeToString()


async def _run(target: Target, seconds: float, *options: str) -> Run:
    with tempfile.NamedTemporaryFile(suffix=".binpb") as protoset:
        protoset.write(contract())
        protoset.flush()
        out = await _output(
            "--insecure",
            f"--protoset={protoset.name}",
            f"--call={target.method}",
            f"--metadata={json.dumps({'authorization': f'Token {target.key}'})}",
            f"--data={json.dumps(target.body)}",
            f"--connections={CONNECTIONS}",
            f"--duration={seconds}s",
            "--duration-stop=wait",
            "--format=json",
            *options,
            target.address,
        )
    calls = json.loads(out)["details"] or []
    good = (call["latency"] / NANOSECONDS for call in calls if call["status"] == "OK")
    return Run(seconds, Counter(call["status"] for call in calls), tuple(sorted(good)))


async def _output(*arguments: str) -> bytes:
    process = await asyncio.create_subprocess_exec(
        executable(),
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    if process.returncode != 0:
        raise RuntimeError(err.decode())
    return out
