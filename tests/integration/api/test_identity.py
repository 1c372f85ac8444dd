"""Authentication and authorization of calls over the wire."""

from __future__ import annotations

from typing import Any

import grpc
import pytest
from google.longrunning import operations_proto_pb2
from memoir.v1 import (
    graph_service_pb2,
    memory_service_pb2,
    project_service_pb2,
    statistics_service_pb2,
)

from tests.integration.api.harness import AUTHORIZED, GENERATE, Harness, add_request

METHODS = [
    f"/{service.full_name}/{method.name}"
    for module in (
        memory_service_pb2,
        graph_service_pb2,
        project_service_pb2,
        statistics_service_pb2,
        operations_proto_pb2,
    )
    for service in module.DESCRIPTOR.services_by_name.values()
    for method in service.methods
]


@pytest.mark.parametrize("method", [*METHODS, GENERATE, "/no.Such/Method"])
async def test_no_method_works_without_a_key(harness: Harness, method: str) -> None:
    outcome = await harness.call(method, b"\xff", metadata=())
    assert outcome.code is grpc.StatusCode.UNAUTHENTICATED
    assert outcome.reason == "API_KEY_INVALID"
    assert outcome.trailer("x-correlation-id")


def test_all_methods_of_the_contract_are_covered() -> None:
    assert len(METHODS) == 27


@pytest.mark.parametrize(
    "metadata",
    [
        (("authorization", "mem_good"),),
        (("authorization", "Basic mem_good"),),
        (("authorization", "Token"),),
        (("authorization", "Token mem_bad"),),
        (("authorization", "Token mem_good mem_good"),),
        (("authorization", "Token " + "x" * 513),),
        (*AUTHORIZED, *AUTHORIZED),
        (("authorization-bin", b"Token mem_good"),),
    ],
)
async def test_every_way_to_fail_has_the_same_answer(harness: Harness, metadata: Any) -> None:
    outcome = await harness.call(metadata=metadata)
    missing = await harness.call(metadata=())
    assert outcome.code is grpc.StatusCode.UNAUTHENTICATED
    assert outcome.text == missing.text
    assert "mem_" not in outcome.text
    assert harness.service.requests == []


@pytest.mark.parametrize("scheme", ["Token", "token", "TOKEN", "Bearer", "bearer"])
async def test_the_scheme_is_read_whatever_its_case(harness: Harness, scheme: str) -> None:
    outcome = await harness.call(metadata=(("authorization", f"{scheme} mem_good"),))
    assert outcome.code is grpc.StatusCode.OK


@pytest.mark.parametrize(
    ("key", "fields", "reason"),
    [
        ("mem_good", {"project_id": "other"}, "PROJECT_FORBIDDEN"),
        ("mem_good", {"org_id": "other"}, "PROJECT_FORBIDDEN"),
        ("mem_org", {}, "PROJECT_REQUIRED"),
        ("mem_org", {"project_id": "p1"}, ""),
        ("mem_good", {"project_id": "project", "org_id": "org"}, ""),
    ],
)
async def test_the_request_must_agree_with_the_key(
    harness: Harness, key: str, fields: dict[str, str], reason: str
) -> None:
    outcome = await harness.call(
        request=add_request(**fields), metadata=(("authorization", f"Token {key}"),)
    )
    assert outcome.reason == reason
    assert len(harness.service.requests) == (0 if reason else 1)


async def test_the_project_of_an_organizations_key_is_named_in_the_log(harness: Harness) -> None:
    await harness.call(
        request=add_request(project_id="p1"), metadata=(("authorization", "Token mem_org"),)
    )
    assert (await harness.log("rpc.ended"))["project_id"] == "p1"
