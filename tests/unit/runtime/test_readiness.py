"""When calls can be served, and how that is reported."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Never

import pytest
import structlog
from structlog.testing import capture_logs

from server.core.transient_errors import StoreUnavailable
from server.core.values import Vector
from server.maintenance import EmbedderConflict, EmbedderIdentity, TextPlace
from server.runtime import readiness
from server.runtime.readiness import ReadinessProbe
from tests.support.fakes import FakeEmbedder

OWN = EmbedderIdentity("test/embedder", 8)
PATIENCE = 5.0


async def never() -> None:
    await asyncio.Event().wait()


@dataclass
class FakeMaintenance:
    """A store in a state that the test sets."""

    fault: str | None = None
    error: Exception | None = None
    hangs: bool = False
    embedder: EmbedderIdentity | None = None
    claims: int = 0

    async def schema_fault(self) -> str | None:
        if self.hangs:
            await never()
        if self.error is not None:
            raise self.error
        return self.fault

    async def claim_embedder(self, embedder: EmbedderIdentity) -> EmbedderIdentity:
        self.claims += 1
        self.embedder = self.embedder or embedder
        return self.embedder

    async def begin_reembedding(self, embedder: EmbedderIdentity) -> Never:
        raise NotImplementedError

    async def count_texts(self) -> Never:
        raise NotImplementedError

    async def next_texts(self, limit: int) -> Never:
        raise NotImplementedError

    async def replace_embeddings(
        self, embedder: EmbedderIdentity, places: Sequence[TextPlace], embeddings: Sequence[Vector]
    ) -> Never:
        raise NotImplementedError

    async def finish_reembedding(self, embedder: EmbedderIdentity) -> Never:
        raise NotImplementedError


@dataclass
class World:
    """A probe, its store, and the states that the health service received."""

    store: FakeMaintenance = field(default_factory=FakeMaintenance)
    told: list[bool] = field(default_factory=list)
    on_tell: Callable[[], None] = lambda: None

    def __post_init__(self) -> None:
        self.probe = ReadinessProbe(self.store, FakeEmbedder(), self._tell)

    async def _tell(self, ready: bool) -> None:
        self.told.append(ready)
        self.on_tell()


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(readiness, "log", structlog.get_logger())
    return World()


async def test_a_current_store_of_this_embedder_is_ready(world: World) -> None:
    assert await world.probe.fault() is None
    assert world.store.embedder == OWN


async def test_an_old_schema_is_reported_and_not_migrated(world: World) -> None:
    world.store.fault = "run: python -m server migrate"
    assert await world.probe.fault() == "run: python -m server migrate"
    assert world.store.claims == 0


@pytest.mark.parametrize("other", [EmbedderIdentity("other", 8), EmbedderIdentity(OWN.model, 9)])
async def test_incomparable_vectors_are_a_fault(world: World, other: EmbedderIdentity) -> None:
    world.store.embedder = other
    fault = await world.probe.fault()
    assert fault is not None
    assert f"embedder {other}" in fault
    assert f"embeds with {OWN}" in fault


async def test_an_unavailable_store_is_a_fault(world: World) -> None:
    world.store.error = StoreUnavailable()
    assert await world.probe.fault() == str(StoreUnavailable())


async def test_a_hanging_store_is_a_fault(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness, "CHECK_SECONDS", 0.01)
    world.store.hangs = True
    assert await world.probe.fault() == "PostgreSQL did not answer within 0.01 s"


async def test_an_unexpected_error_is_a_fault_and_does_not_end_the_check(world: World) -> None:
    world.store.error = ZeroDivisionError("of a driver")
    fault = await world.probe.fault()
    assert fault is not None
    assert "of a driver" in fault


async def test_the_health_service_gets_every_result_and_the_log_only_changes(
    world: World,
) -> None:
    faults: list[str | None] = ["behind", "behind", None, None, "away", None]
    with capture_logs() as logs:
        for world.store.fault in faults:
            await world.probe.check()
    assert world.told == [False, False, True, True, False, True]
    assert [(entry["event"], entry.get("reason")) for entry in logs] == [
        ("readiness.not_ready", "behind"),
        ("readiness.ready", None),
        ("readiness.not_ready", "away"),
        ("readiness.ready", None),
    ]


async def test_it_continues_to_check_after_any_error(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readiness, "INTERVAL_SECONDS", 0.0)
    enough = asyncio.Event()

    def change() -> None:
        world.store.error = None if len(world.told) % 2 else ZeroDivisionError()
        if len(world.told) == 5:
            enough.set()

    world.on_tell = change
    task = asyncio.create_task(world.probe.run())
    await asyncio.wait_for(enough.wait(), PATIENCE)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert world.told[:5] == [True, True, False, True, False]


async def test_a_server_with_another_embedder_does_not_start(world: World) -> None:
    world.store.embedder = EmbedderIdentity("other", 8)
    with pytest.raises(EmbedderConflict, match="embedder other"):
        await world.probe.refuse_other_embedder()


@pytest.mark.parametrize(
    ("store", "claims"),
    [
        (FakeMaintenance(), 1),
        (FakeMaintenance(fault="behind", embedder=EmbedderIdentity("other", 8)), 0),
        (FakeMaintenance(error=StoreUnavailable()), 0),
        (FakeMaintenance(hangs=True), 0),
    ],
    ids=["own", "behind", "away", "hanging"],
)
async def test_a_server_starts_while_the_store_is_unavailable(
    store: FakeMaintenance, claims: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readiness, "CHECK_SECONDS", 0.01)
    await World(store).probe.refuse_other_embedder()
    assert store.claims == claims
