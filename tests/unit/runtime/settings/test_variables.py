"""Each environment variable: name, default, limits, and its line in .env.example."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import AliasChoices, SecretStr

from server.runtime.settings import (
    SECTIONS,
    DataSettings,
    FailpointSettings,
    GeminiSettings,
    GrpcSettings,
    ModelSettings,
    Neo4jSettings,
    PostgresSettings,
    Settings,
    SettingsFault,
    TelemetrySettings,
    load_settings,
)

EXAMPLE = Path(__file__).parents[4] / ".env.example"
# Examples of addresses, which have no default.
ADDRESSES = {"MEMOIR_POSTGRES_DSN", "MEMOIR_NEO4J_URI"}


def example_variables() -> dict[str, str]:
    """Returns the variables in .env.example, without comments."""
    found = re.findall(r"^# ([A-Z][A-Z0-9_]+)=(\S*)", EXAMPLE.read_text("utf-8"), re.MULTILINE)
    return {name: value for name, value in found if value != "#"}


def variables() -> Iterator[str]:
    """Returns the variables that the settings classes read."""
    for section in SECTIONS:
        prefix = section.model_config.get("env_prefix", "")
        for name, info in section.model_fields.items():
            if isinstance(info.validation_alias, AliasChoices):
                yield from map(str, info.validation_alias.choices)
            else:
                yield f"{prefix}{name}".upper()


def test_every_section_of_the_settings_is_read() -> None:
    assert set(SECTIONS) == {type(getattr(Settings(), name)) for name in Settings.__slots__}


def test_the_example_contains_exactly_the_variables() -> None:
    shown = set(re.findall(r"\b(?:MEMOIR|GEMINI)_[A-Z0-9_]*[A-Z0-9]\b", EXAMPLE.read_text("utf-8")))
    assert shown == set(variables())


def test_the_example_contains_the_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    unset = Settings()
    shown = example_variables()
    assert len(shown) > 20
    for name, value in shown.items():
        if name.startswith(("MEMOIR_", "GEMINI_")) and name not in ADDRESSES:
            monkeypatch.setenv(name, value)
    assert Settings() == unset


def test_the_example_contains_no_secret() -> None:
    assert all(not example_variables().get(name) for name in ("GEMINI_API_KEY",))
    assert example_variables()["MEMOIR_NEO4J_PASSWORD"] == ""


@pytest.mark.parametrize(
    ("name", "value", "section", "field", "expected"),
    [
        ("MEMOIR_GRPC_HOST", "::", GrpcSettings, "host", "::"),
        ("MEMOIR_GRPC_PORT", "0", GrpcSettings, "port", 0),
        ("MEMOIR_GRPC_REFLECTION", "true", GrpcSettings, "reflection", True),
        ("MEMOIR_GRPC_MAX_RECEIVE_BYTES", "1024", GrpcSettings, "max_receive_bytes", 1024),
        ("MEMOIR_GRPC_DEFAULT_DEADLINE", "0.5", GrpcSettings, "default_deadline", 0.5),
        ("MEMOIR_GRPC_DRAIN_SECONDS", "0", GrpcSettings, "drain_seconds", 0.0),
        ("MEMOIR_FAILPOINTS", "lease.held:1", FailpointSettings, "failpoints", "lease.held:1"),
        ("MEMOIR_ALLOW_FAILPOINTS", "true", FailpointSettings, "allow_failpoints", True),
        ("MEMOIR_POSTGRES_DSN", "postgresql://h", PostgresSettings, "dsn", "postgresql://h"),
        ("MEMOIR_POSTGRES_POOL_SIZE", "3", PostgresSettings, "pool_size", 3),
        ("MEMOIR_POSTGRES_ACQUIRE_TIMEOUT", "3", PostgresSettings, "acquire_timeout", 3.0),
        ("MEMOIR_POSTGRES_STATEMENT_TIMEOUT", "2", PostgresSettings, "statement_timeout", 2.0),
        ("MEMOIR_NEO4J_URI", "bolt://h", Neo4jSettings, "uri", "bolt://h"),
        ("MEMOIR_NEO4J_USER", "me", Neo4jSettings, "user", "me"),
        ("MEMOIR_NEO4J_PASSWORD", "x", Neo4jSettings, "password", "x"),
        ("MEMOIR_NEO4J_TIMEOUT", "3", Neo4jSettings, "timeout", 3.0),
        ("MEMOIR_DATA_DIR", "/data", DataSettings, "data_dir", Path("/data")),
        ("MEMOIR_NEO4J_LIB_DIR", "/lib", DataSettings, "neo4j_lib_dir", Path("/lib")),
        ("MEMOIR_MODELS", "offline", ModelSettings, "models", "offline"),
        ("GEMINI_API_KEY", "x", GeminiSettings, "api_key", "x"),
        ("MEMOIR_GEMINI_API_KEY", "x", GeminiSettings, "api_key", "x"),
        ("MEMOIR_GEMINI_BASE_URL", "http://h", GeminiSettings, "base_url", "http://h"),
        ("MEMOIR_GEMINI_EMBEDDING_MODEL", "m", GeminiSettings, "embedding_model", "m"),
        (
            "MEMOIR_GEMINI_EMBEDDING_DIMENSIONS",
            "256",
            GeminiSettings,
            "embedding_dimensions",
            256,
        ),
        ("MEMOIR_GEMINI_LANGUAGE_MODEL", "m", GeminiSettings, "language_model", "m"),
        ("MEMOIR_GEMINI_TIMEOUT", "3", GeminiSettings, "timeout", 3.0),
        ("MEMOIR_GEMINI_CONCURRENCY", "3", GeminiSettings, "concurrency", 3),
        ("MEMOIR_LOG_FORMAT", "json", TelemetrySettings, "format", "json"),
        ("MEMOIR_LOG_LEVEL", "debug", TelemetrySettings, "level", "debug"),
    ],
)
def test_a_variable_sets_its_field(
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    value: str,
    section: type,
    field: str,
    expected: object,
) -> None:
    default = getattr(section(), field)
    monkeypatch.setenv(name, value)
    found = getattr(section(), field)
    assert found != default
    assert (found.get_secret_value() if isinstance(found, SecretStr) else found) == expected


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MEMOIR_GRPC_PORT", "65536"),
        ("MEMOIR_GRPC_PORT", "-1"),
        ("MEMOIR_GRPC_PORT", "grpc"),
        ("MEMOIR_GRPC_REFLECTION", "perhaps"),
        ("MEMOIR_GRPC_MAX_RECEIVE_BYTES", "1023"),
        ("MEMOIR_GRPC_DEFAULT_DEADLINE", "0"),
        ("MEMOIR_GRPC_DRAIN_SECONDS", "-1"),
        ("MEMOIR_POSTGRES_POOL_SIZE", "0"),
        ("MEMOIR_POSTGRES_ACQUIRE_TIMEOUT", "0"),
        ("MEMOIR_POSTGRES_STATEMENT_TIMEOUT", "0"),
        ("MEMOIR_NEO4J_TIMEOUT", "0"),
        ("MEMOIR_MODELS", "best"),
        ("MEMOIR_GEMINI_EMBEDDING_DIMENSIONS", "127"),
        ("MEMOIR_GEMINI_EMBEDDING_DIMENSIONS", "3073"),
        ("MEMOIR_GEMINI_TIMEOUT", "0"),
        ("MEMOIR_GEMINI_CONCURRENCY", "0"),
        ("MEMOIR_LOG_FORMAT", "xml"),
        ("MEMOIR_LOG_LEVEL", "loud"),
    ],
)
def test_an_invalid_value_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsFault, match=rf"^settings: {name}: "):
        load_settings()


def test_all_invalid_values_are_named_together(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = ["MEMOIR_GRPC_PORT", "MEMOIR_GRPC_DRAIN_SECONDS", "MEMOIR_POSTGRES_POOL_SIZE"]
    wrong += ["MEMOIR_NEO4J_TIMEOUT", "MEMOIR_GEMINI_TIMEOUT", "MEMOIR_LOG_LEVEL"]
    for name in wrong:
        monkeypatch.setenv(name, "wrong")
    with pytest.raises(SettingsFault) as raised:
        load_settings()
    assert re.findall(r"MEMOIR_\w+", str(raised.value)) == wrong


def test_an_empty_variable_counts_as_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    unset = load_settings()
    for name in variables():
        monkeypatch.setenv(name, "")
    assert load_settings() == unset
