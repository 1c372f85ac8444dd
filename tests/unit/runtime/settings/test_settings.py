"""Conditions and defaults that concern several settings."""

from __future__ import annotations

import pytest

from server.runtime.settings import ModelChoice, SettingsFault, load_settings

DSN = ("MEMOIR_POSTGRES_DSN", "postgresql://memoir:hidden@db/memoir")
URI = ("MEMOIR_NEO4J_URI", "bolt://neo4j:7687")
KEY = ("GEMINI_API_KEY", "hidden-key")
GEMINI = ("MEMOIR_MODELS", "gemini")
OFFLINE = ("MEMOIR_MODELS", "offline")


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    for name, value in request.param:
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize(
    ("environment", "choice"),
    [
        ([], ModelChoice.OFFLINE),
        ([KEY], ModelChoice.GEMINI),
        ([KEY, OFFLINE], ModelChoice.OFFLINE),
        ([KEY, GEMINI], ModelChoice.GEMINI),
        ([DSN, URI, OFFLINE], ModelChoice.OFFLINE),
        ([DSN, URI, KEY, OFFLINE], ModelChoice.OFFLINE),
        ([DSN, URI, KEY, GEMINI], ModelChoice.GEMINI),
        ([("GEMINI_API_KEY", "")], ModelChoice.OFFLINE),
    ],
    indirect=["environment"],
)
def test_the_settings_select_the_models(environment: None, choice: ModelChoice) -> None:
    assert load_settings().model_choice() is choice


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ([GEMINI], "GEMINI_API_KEY"),
        ([GEMINI, ("GEMINI_API_KEY", "")], "GEMINI_API_KEY"),
        ([DSN, URI], "MEMOIR_MODELS"),
        ([DSN, URI, KEY], "MEMOIR_MODELS"),
        ([DSN, URI, GEMINI], "GEMINI_API_KEY"),
    ],
    indirect=["environment"],
)
def test_incomplete_settings_of_models_are_refused(environment: None, said: str) -> None:
    settings = load_settings()
    with pytest.raises(SettingsFault, match=said):
        settings.model_choice()


@pytest.mark.parametrize("environment", [[DSN]], indirect=True)
def test_an_external_postgres_needs_an_external_graph(environment: None) -> None:
    with pytest.raises(SettingsFault, match="MEMOIR_NEO4J_URI"):
        load_settings()


@pytest.mark.parametrize(
    ("environment", "postgres", "neo4j"),
    [([], True, True), ([URI], True, False), ([DSN, URI], False, False)],
    indirect=["environment"],
)
def test_databases_without_an_address_are_embedded(
    environment: None, postgres: bool, neo4j: bool
) -> None:
    settings = load_settings()
    assert (settings.embedded_postgres, settings.neo4j.uri is None) == (postgres, neo4j)


@pytest.mark.parametrize(
    ("environment", "reflection"),
    [
        ([], True),
        ([("MEMOIR_GRPC_REFLECTION", "false")], False),
        ([DSN, URI], False),
        ([DSN, URI, ("MEMOIR_GRPC_REFLECTION", "true")], True),
    ],
    indirect=["environment"],
)
def test_reflection_is_on_by_default_only_in_development(
    environment: None, reflection: bool
) -> None:
    assert load_settings().reflection is reflection


@pytest.mark.parametrize(
    "environment", [[DSN, URI, KEY, ("MEMOIR_NEO4J_PASSWORD", "hidden")]], indirect=True
)
def test_secrets_are_not_printed(environment: None) -> None:
    assert "hidden" not in repr(load_settings())


@pytest.mark.parametrize(
    "environment", [[DSN, KEY, ("MEMOIR_POSTGRES_POOL_SIZE", "hidden")]], indirect=True
)
def test_an_error_does_not_contain_values(environment: None) -> None:
    with pytest.raises(SettingsFault) as raised:
        load_settings()
    assert "hidden" not in str(raised.value)


FAIL = ("MEMOIR_FAILPOINTS", "lease.held:1")


@pytest.mark.parametrize("environment", [[FAIL]], indirect=True)
def test_failpoints_are_refused_unless_allowed(
    environment: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SettingsFault, match="MEMOIR_ALLOW_FAILPOINTS"):
        load_settings()
    monkeypatch.setenv("MEMOIR_ALLOW_FAILPOINTS", "true")
    assert load_settings().failpoints.failpoints == "lease.held:1"


@pytest.mark.parametrize(
    ("environment", "port"),
    [
        ([], 50052),
        ([("MEMOIR_GRPC_PORT", "7000")], 7001),
        ([("MEMOIR_GRPC_PORT", "0")], 0),
        ([("MEMOIR_HTTP_PORT", "8000")], 8000),
        ([("MEMOIR_HTTP_ENABLED", "false")], None),
        ([("MEMOIR_HTTP_ENABLED", "false"), ("MEMOIR_HTTP_PORT", "8000")], None),
        ([DSN, URI, OFFLINE], None),
        ([DSN, URI, OFFLINE, ("MEMOIR_HTTP_PORT", "8000")], 8000),
        ([DSN, URI, OFFLINE, ("MEMOIR_HTTP_ENABLED", "true")], 50052),
    ],
    indirect=["environment"],
)
def test_the_port_of_http_is_derived(environment: None, port: int | None) -> None:
    assert load_settings().http_port == port
