"""Reading the key from requests that no regular client library sends."""

from __future__ import annotations

from typing import Any

import pytest

from server.api.grpc.interceptors.access import current_caller, current_principal, project_or_none
from server.api.grpc.interceptors.context import Proceed
from server.core.errors import ApiKeyInvalid
from tests.unit.api.grpc.calls import ANYONE, Wire, accept_any, context_on, entry, method


async def answer(_request: Any, _context: Any) -> Any:
    return current_principal()


async def attempt(value: str | bytes, proceed: Proceed = answer, path: str = "/s.S/M") -> Any:
    context = context_on(Wire((("authorization", value),)))
    return await entry(authenticate=accept_any).intercept(method(path), None, context, proceed)


@pytest.mark.parametrize(
    "value",
    ["Token clé", "Token \x7f", "Token a\nb", "Token\ta", "Token ", b"Token a", "Tokena", ""],
)
async def test_a_malformed_key_is_not_looked_up(value: str | bytes) -> None:
    with pytest.raises(ApiKeyInvalid):
        await attempt(value)


async def test_a_key_identifies_its_principal() -> None:
    assert await attempt("Token a") is ANYONE


@pytest.mark.parametrize(
    "path",
    [
        "/grpc.health.v1.Healthy/Check",
        "/grpc.health.v1.Health.x/Check",
        "grpc.health.v1/Health/Check",
        "//grpc.health.v1.Health/Check",
    ],
)
async def test_only_the_exact_names_of_health_methods_need_no_key(path: str) -> None:
    with pytest.raises(ApiKeyInvalid):
        await attempt("", path=path)


def test_outside_a_call_there_is_no_principal() -> None:
    assert project_or_none() is None
    for read in (current_caller, current_principal):
        with pytest.raises(RuntimeError):
            read()
