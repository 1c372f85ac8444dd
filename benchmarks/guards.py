"""Measures the cost of isolating projects for a call: keys, roles, quotas and shares.

    python -m benchmarks.guards [--rounds N] [--calls N]

An empty call runs through the interceptors, with all parts and without each of them, in turns. The
figure is the minimum processor time of this thread, on which other work on the machine has little
effect.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

from memoir.v1 import memory_pb2, memory_service_pb2
from rich.console import Console
from rich.table import Table

from benchmarks.cases import sentence
from server.api.grpc.access_rules import Access, MethodClass
from server.api.grpc.admission import Admission, AdmissionLimits, AdmittedCall
from server.api.grpc.interceptors.chain import build_chain
from server.api.grpc.interceptors.drain import DrainGate
from server.api.grpc.interceptors.entry import EntryInterceptor
from server.api.grpc.local import CONTRACT_METHODS, LocalCalls, LocalMethod, LocalRequest
from server.api.grpc.rate_limit import RateLimiter
from server.api.grpc.server import Servicers
from server.core.fairness import FairPlaces
from server.projects.authorization import Authenticate, Authorize
from server.projects.project import KEY_PREFIX, Caller, Principal, Quotas, StorageUse
from server.projects.quotas import ProjectQuotas, ProjectUse
from server.telemetry.logging import configure_logging
from server.telemetry.statistics import Statistics

PRINCIPAL: Final = Principal("key", "org", "project")
CALLER: Final = Caller("key", "org", "project")
HOLDING: Final = StorageUse(Quotas(), 0, 0)
USE: Final = ProjectUse(HOLDING, 0.0, 0.0)
CALL: Final = AdmittedCall(Admission(AdmissionLimits()), MethodClass.WRITE, 0, "project", 0.0)
EVERYTHING: Final = "everything"


def returning(value: object) -> Callable[..., object]:
    """Returns a function that only returns `value`."""
    return lambda *_values, **_named: value


def answering(value: object) -> Callable[..., Awaitable[object]]:
    """Returns a coroutine function that only returns `value`."""

    async def answer(*_values: object, **_named: object) -> object:
        return value

    return answer


Part = tuple[tuple[type, str, Callable[..., object]], ...]
PARTS: Final[Mapping[str, Part]] = {
    EVERYTHING: (),
    "keys": ((EntryInterceptor, "_principal", answering(PRINCIPAL)),),
    "roles and scopes of keys": (
        (Access, "require", returning(None)),
        (Access, "confine", returning(None)),
    ),
    "projects of keys": ((Authorize, "__call__", answering(CALLER)),),
    "quotas": (
        (ProjectQuotas, "enter", answering(USE)),
        (ProjectUse, "leave", returning(None)),
    ),
    "calls a second": ((RateLimiter, "take", returning(None)),),
    "shares of calls": (
        (Admission, "enter", answering(CALL)),
        (Admission, "leave", returning(None)),
    ),
}
ALL_OFF: Final = "without all of these"


class _Projects:
    """A project store with one key and one project."""

    find_principal = staticmethod(answering(PRINCIPAL))
    holding = staticmethod(answering(HOLDING))


class _Memory:
    """Answers at once."""

    AddMemories = staticmethod(answering(memory_service_pb2.AddMemoriesResponse()))


def method() -> LocalMethod:
    """Returns AddMemories behind all interceptors."""
    projects: Any = _Projects()
    chain = build_chain(
        gate=DrainGate(),
        admission=Admission(AdmissionLimits()),
        rate_limiter=RateLimiter(0.0, 1),
        authenticate=Authenticate(projects),
        authorize=Authorize(projects),
        now=partial(datetime.now, UTC),
        statistics=Statistics(),
        default_timeout_seconds=30.0,
        quotas=ProjectQuotas(projects),
    )
    memory: Any = _Memory()
    nothing: Any = None
    servicers = Servicers(memory, nothing, nothing, nothing, nothing, nothing, nothing)
    request, response = (
        memory_service_pb2.AddMemoriesRequest,
        memory_service_pb2.AddMemoriesResponse,
    )
    return LocalCalls(servicers, chain).method(
        CONTRACT_METHODS["memoir.v1.MemoryService/AddMemories"],
        request.FromString,
        response.SerializeToString,
    )


@contextmanager
def switched_off(part: Part) -> Iterator[None]:
    """Switches a part of the service off during the block."""
    with ExitStack() as stack:
        for owner, name, instead in part:
            stack.callback(setattr, owner, name, getattr(owner, name))
            setattr(owner, name, instead)
        yield


async def microseconds(call: Callable[[], Awaitable[object]], calls: int) -> float:
    """Returns the processor time of this thread per call."""
    began = time.thread_time()
    for _ in range(calls):
        await call()
    return (time.thread_time() - began) / calls * 1e6


async def take_place(places: FairPlaces) -> None:
    """Takes and returns the place of a connection."""
    places.take_now("project")
    places.give_back("project")


def parse_arguments() -> argparse.Namespace:
    """Returns the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.guards", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--rounds", type=int, default=20, help="rounds")
    parser.add_argument("--calls", type=int, default=500, help="calls a part and round")
    return parser.parse_args()


async def main() -> None:
    """Measures and prints."""
    arguments = parse_arguments()
    configure_logging("json", "INFO", io.StringIO())
    add = method()
    message = memory_pb2.Message(role="user", content=sentence(1))
    body = memory_service_pb2.AddMemoriesRequest(user_id="alice", messages=[message])
    metadata = (("authorization", f"Token {KEY_PREFIX}{'x' * 43}"), ("user-agent", "benchmark"))
    request = LocalRequest(body.SerializeToString(), metadata, "ipv4:127.0.0.1:50051")
    parts = {**PARTS, ALL_OFF: tuple(each for part in PARTS.values() for each in part)}
    least = dict.fromkeys(parts, float("inf"))
    for _ in range(arguments.rounds):
        for name, part in parts.items():
            with switched_off(part):
                taken = await microseconds(partial(add.call, request), arguments.calls)
            least[name] = min(least[name], taken)
    places = FairPlaces(16, 2)
    place = await microseconds(partial(take_place, places), arguments.calls)
    table = Table("without", "us a call", "saved us")
    for name, taken in least.items():
        table.add_row(name, f"{taken:.1f}", f"{least[EVERYTHING] - taken:.1f}")
    Console().print(table)
    Console().print(f"sharing the connections: {place:.1f} us for each that a call uses")


if __name__ == "__main__":
    asyncio.run(main())
