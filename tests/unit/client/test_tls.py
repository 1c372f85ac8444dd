"""Environment variables that make a client encrypt."""

from __future__ import annotations

import pytest
from memoir.channels import Tls, tls_of


@pytest.mark.parametrize(
    ("environment", "tls"),
    [
        ({}, None),
        ({"MEMOIR_TLS": "false", "MEMOIR_TLS_CA": ""}, None),
        ({"MEMOIR_TLS": "True"}, Tls()),
        ({"MEMOIR_TLS_CA": "ca"}, Tls("ca")),
        ({"MEMOIR_TLS_CERT": "c", "MEMOIR_TLS_KEY": "k"}, Tls(None, "c", "k")),
    ],
)
def test_the_environment_decides_about_encryption(
    environment: dict[str, str], tls: Tls | None
) -> None:
    assert tls_of(environment) == tls
