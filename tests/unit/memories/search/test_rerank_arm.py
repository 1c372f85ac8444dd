"""The reranking arm of a search."""

from __future__ import annotations

import asyncio
import time

import pytest
from structlog.testing import capture_logs

from server.core.request_context import RequestContext
from server.core.transient_errors import ModelQuotaExhausted, ModelUnavailable
from server.memories.passages import Hit
from server.memories.search.arms import RERANKED, RerankArm, Reranking
from server.memories.search.ranking import Arm
from server.models.ports import RerankFailed
from tests.support.builders import addition, call
from tests.support.fakes import LANGUAGE_MODEL, FakeReranker
from tests.support.request_context import in_request


def hits(count: int) -> list[Hit]:
    return [Hit(addition(call(), f"hit {n}").memory, 0.5) for n in range(count)]


def texts(reranking: Reranking) -> list[str]:
    return [hit.text for hit in reranking.hits]


async def forever() -> None:
    await asyncio.Event().wait()


async def test_the_model_decides_and_is_named() -> None:
    reranker = FakeReranker(scores={"hit 2": 0.9, "hit 1": 0.4})

    found = await RerankArm(reranker, 60.0)("who?", hits(3))

    assert texts(found) == ["hit 2", "hit 1", "hit 0"]
    assert (found.language_model, found.degraded) == (LANGUAGE_MODEL, None)
    assert reranker.questions == [("who?", ["hit 0", "hit 1", "hit 2"])]


async def test_the_best_hits_are_reranked_in_one_request() -> None:
    reranker = FakeReranker(scores={f"hit {RERANKED - 1}": 1.0, f"hit {RERANKED}": 1.0})

    found = await RerankArm(reranker, 60.0)("who?", hits(RERANKED + 5))

    [(_, asked)] = reranker.questions
    assert len(asked) == RERANKED
    assert texts(found)[0] == f"hit {RERANKED - 1}"
    assert texts(found)[RERANKED:] == [f"hit {RERANKED + n}" for n in range(5)]


@pytest.mark.parametrize("count", [0, 1])
async def test_fewer_than_two_hits_are_not_reranked(count: int) -> None:
    reranker, before = FakeReranker(), hits(count)

    assert await RerankArm(reranker, 60.0)("who?", before) == Reranking(before)
    assert reranker.questions == []


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (RerankFailed("there is none"), "there is none"),
        (ModelUnavailable("m"), "the language model is unavailable"),
        (ModelQuotaExhausted("m"), "the quota of the language model is used up"),
    ],
)
async def test_a_failing_model_degrades_the_search_without_losing_hits(
    fault: Exception, reason: str
) -> None:
    before = hits(3)

    with capture_logs() as logs:
        found = await RerankArm(FakeReranker(fault=fault), 60.0)("who?", before)

    assert found.hits == before
    assert found.language_model is None
    assert found.degraded is not None
    assert (found.degraded.arm, found.degraded.reason) == (Arm.RERANK, reason)
    assert [(log["event"], log["reason"]) for log in logs] == [("search.not_reranked", reason)]


@pytest.mark.parametrize(("seconds", "left"), [(0.01, 60.0), (60.0, 2.0)])
async def test_a_hanging_model_leaves_time_to_respond(seconds: float, left: float) -> None:
    arm, before = RerankArm(FakeReranker(thinking=forever), seconds), hits(3)
    context = RequestContext("call-1", time.monotonic() + left)

    found = await in_request(context, lambda: arm("who?", before))

    assert found.hits == before
    assert found.degraded is not None
    assert "in time" in found.degraded.reason
    assert context.remaining() > 0
