"""The service as people and Kubernetes call it: grpcurl and grpc-health-probe."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.server import ServerProcess
from tests.support.tools import run_tool


async def grpcurl(server: ServerProcess, key: str, method: str, body: dict[str, Any]) -> Any:
    """The answer of a call, as JSON."""
    status, out = await run_tool(
        "grpcurl",
        *("-plaintext", "-H", f"authorization: Token {key}", "-d", json.dumps(body)),
        *(server.address, f"memoir.v1.{method}"),
    )
    assert status == 0, out
    return json.loads(out)


@pytest.mark.parametrize("service", ["", "memoir.v1.MemoryService"])
async def test_the_health_probe_reports_serving(server: ServerProcess, service: str) -> None:
    status, out = await run_tool(
        "grpc-health-probe", f"-addr={server.address}", f"-service={service}"
    )
    assert (status, "SERVING" in out) == (0, True)


async def test_services_are_listed_and_described(server: ServerProcess) -> None:
    status, out = await run_tool("grpcurl", "-plaintext", server.address, "list")
    assert status == 0
    assert set(out.split()) == {
        "google.longrunning.Operations",
        "grpc.health.v1.Health",
        "grpc.reflection.v1alpha.ServerReflection",
        "memoir.v1.AuditService",
        "memoir.v1.GraphService",
        "memoir.v1.MemoryService",
        "memoir.v1.ProjectService",
        "memoir.v1.StatisticsService",
    }
    status, out = await run_tool(
        "grpcurl", "-plaintext", server.address, "describe", "memoir.v1.AddMemoriesRequest"
    )
    assert status == 0
    assert "custom_instructions" in out


async def test_a_body_of_the_reference_api_works_as_it_is(
    server: ServerProcess, key: str, user: str
) -> None:
    added = await grpcurl(
        server,
        key,
        "MemoryService/AddMemories",
        {
            "messages": [
                {"role": "user", "content": "I moved to Lisbon. I am allergic to peanuts."},
                {"role": "assistant"},
            ],
            "user_id": user,
            "metadata": {"source": "chat"},
            "infer": True,
            "output_format": "v1.1",
            "custom_categories": [{"name": "allergies", "description": "what they cannot eat"}],
            "immutable": False,
            "timestamp": 1_760_000_000,
            "expiration_date": "2999-12-31",
            "version": "v2",
        },
    )
    assert [result["event"] for result in added["results"]] == ["ADD", "ADD"]
    assert set(added["results"][0]) >= {"id", "data", "event"}

    found = await grpcurl(
        server, key, "MemoryService/SearchMemories", {"user_id": user, "query": "food allergy"}
    )
    assert "peanuts" in found["results"][0]["memory"]["text"]
    related = await grpcurl(
        server,
        key,
        "GraphService/ListRelations",
        {"user_id": user, "consistency_token": added["consistency_token"], "relation": "lives in"},
    )
    assert [r["target"] for r in related["relations"]] == ["Lisbon"]


async def test_an_error_names_the_field(server: ServerProcess, key: str, tmp_path: Path) -> None:
    status, out = await run_tool(
        "grpcurl",
        *("-plaintext", "-H", f"authorization: Token {key}", "-d", '{"user_id": "u"}'),
        *(server.address, "memoir.v1.MemoryService/AddMemories"),
    )
    assert status != 0
    assert "InvalidArgument" in out
    assert '"field": "messages"' in out
