"""A running server exposes the metrics of the alert rules and dashboards."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable

import pytest
from memoir.v1 import memory_service_pb2
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from tests.support import gemini_faults
from tests.support.gemini_endpoint import GeminiEndpoint
from tests.support.gemini_server import API_KEY
from tests.support.measurements import add, metrics_of
from tests.support.monitoring import DASHBOARDS, Asked, asked, grouped_by, rules, shown_expressions
from tests.support.processes import eventually
from tests.support.server import Home, connected, key_of

# The values of these depend on calls in progress.
_CHOSEN_BY_CALLS = {"rpc_response_status_code", "error_type"}


@pytest.fixture
async def exposed(home: Home, gemini: GeminiEndpoint) -> AsyncIterator[list[Metric]]:
    """The metrics of a server on Gemini that has served a write with a retry, and a search."""
    server = home.server(
        MEMOIR_MODELS="gemini",
        GEMINI_API_KEY=API_KEY,
        MEMOIR_GEMINI_BASE_URL=gemini.base_url,
        MEMOIR_METRICS_PORT="0",
    )
    gemini.fail("generateContent", gemini_faults.status(503, "UNAVAILABLE"), times=1)
    await server.start()
    async with connected(server.address, await key_of(home)) as client:
        await add(client, "I work at Acme.")
        request = memory_service_pb2.SearchMemoriesRequest(
            user_id="alice", query="Do I work at Acme today?"
        )
        await client.memory.SearchMemories(request, metadata=client.metadata)

        async def is_sampled() -> bool:
            return 'memoir_dependency_up{dependency="neo4j"} 1.0' in await metrics_of(server)

        await eventually(is_sampled, 40.0, "the first sample of the graph")
        yield list(text_string_to_metric_families(await metrics_of(server)))
    await server.stop()


def expressions_of_all() -> list[str]:
    shown = [each for dashboard in DASHBOARDS for each in shown_expressions(dashboard)]
    return [*(rule["expr"] for rule in rules()), *shown]


async def test_every_metric_and_label_that_is_asked_for_is_exposed(exposed: list[Metric]) -> None:
    expressions = expressions_of_all()
    wanted = {each for expression in expressions for each in asked(expression)}
    assert len(wanted) > len(expressions) / 2
    wanted |= {each for expression in expressions for each in grouping(expression)}
    assert {missing for each in wanted for missing in lacking(each, exposed)} == set()


def grouping(expression: str) -> list[Asked]:
    """The metrics of an expression, with the labels that it groups by."""
    matchers = tuple((label, "=~", ".*") for label in sorted(grouped_by(expression)))
    return [Asked(each.metric, matchers) for each in asked(expression)]


async def test_waits_for_the_provider_and_its_limit_are_shown(exposed: list[Metric]) -> None:
    values = {sample.name: sample.value for metric in exposed for sample in metric.samples}
    assert 0 < values["memoir_model_concurrency_limit"] < 32  # the fault has lowered it
    assert values["memoir_model_calls"] == 0
    assert values["memoir_embedding_batch_wait_seconds_count"] >= 2


async def test_the_candidates_of_each_arm_are_counted(exposed: list[Metric]) -> None:
    counts = {
        sample.labels["arm"]: sample.value
        for metric in exposed
        for sample in metric.samples
        if sample.name == "memoir_search_candidates_count"
    }
    assert counts == {"dense": 1, "lexical": 1, "graph": 1, "time": 1}


def lacking(each: Asked, exposed: Iterable[Metric]) -> Iterable[str]:
    samples = [
        sample for metric in exposed for sample in metric.samples if sample.name == each.metric
    ]
    if not samples:
        yield each.metric
    for label in each.labels:
        if samples and not any(label in sample.labels for sample in samples):
            yield f"{each.metric}: {label}"
    for label, value in each.values:
        if label not in _CHOSEN_BY_CALLS and not any(
            sample.labels.get(label) == value for sample in samples
        ):
            yield f"{each.metric}: {label}={value}"
