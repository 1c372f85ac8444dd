"""The server's settings: environment variables with the prefix MEMOIR_, in a class per concern.

This module has all of them, and the rules between them. An empty variable counts as not set.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, get_type_hints

from pydantic import ValidationError
from pydantic_settings import BaseSettings

from server.runtime.settings.dependencies import (
    DataSettings,
    GeminiSettings,
    InferenceSettings,
    ModelChoice,
    ModelSettings,
    Neo4jSettings,
    OperationSettings,
    PostgresSettings,
    RetentionSettings,
    SearchSettings,
)
from server.runtime.settings.serving import (
    AdmissionSettings,
    FailpointSettings,
    GrpcSettings,
    HttpSettings,
    LogFormat,
    MetricsSettings,
    PageSettings,
    TelemetrySettings,
    TlsSettings,
    WorkerSettings,
    available_cores,
)

__all__ = [
    "SECTIONS",
    "AdmissionSettings",
    "DataSettings",
    "FailpointSettings",
    "GeminiSettings",
    "GrpcSettings",
    "HttpSettings",
    "InferenceSettings",
    "LogFormat",
    "MetricsSettings",
    "ModelChoice",
    "ModelSettings",
    "Neo4jSettings",
    "OperationSettings",
    "PageSettings",
    "PostgresSettings",
    "Settings",
    "SettingsFault",
    "TelemetrySettings",
    "TlsSettings",
    "WorkerSettings",
    "load_settings",
]


class SettingsFault(Exception):
    """Environment variables are missing or invalid; the message says which, and what to do."""


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings."""

    data: DataSettings = field(default_factory=DataSettings)
    grpc: GrpcSettings = field(default_factory=GrpcSettings)
    tls: TlsSettings = field(default_factory=TlsSettings)
    workers: WorkerSettings = field(default_factory=WorkerSettings)
    admission: AdmissionSettings = field(default_factory=AdmissionSettings)
    postgres: PostgresSettings = field(default_factory=PostgresSettings)
    neo4j: Neo4jSettings = field(default_factory=Neo4jSettings)
    models: ModelSettings = field(default_factory=ModelSettings)
    gemini: GeminiSettings = field(default_factory=GeminiSettings)
    inference: InferenceSettings = field(default_factory=InferenceSettings)
    operations: OperationSettings = field(default_factory=OperationSettings)
    retention: RetentionSettings = field(default_factory=RetentionSettings)
    search: SearchSettings = field(default_factory=SearchSettings)
    telemetry: TelemetrySettings = field(default_factory=TelemetrySettings)
    metrics: MetricsSettings = field(default_factory=MetricsSettings)
    http: HttpSettings = field(default_factory=HttpSettings)
    page: PageSettings = field(default_factory=PageSettings)
    failpoints: FailpointSettings = field(default_factory=FailpointSettings)

    @property
    def embedded_postgres(self) -> bool:
        """Whether the server starts its own PostgreSQL, which makes it a development server."""
        return self.postgres.dsn is None

    @property
    def reflection(self) -> bool:
        """Whether the server offers reflection."""
        chosen = self.grpc.reflection
        return self.embedded_postgres if chosen is None else chosen

    @property
    def http_port(self) -> int | None:
        """The port of HTTP; 0 takes a free port, None means that HTTP is not served."""
        is_enabled = self.http.enabled
        if is_enabled is None:
            is_enabled = self.http.port is not None or self.embedded_postgres
        if not is_enabled:
            return None
        if self.http.port is not None:
            return self.http.port
        # The port after gRPC's, so that several servers on one machine use different ports.
        return self.grpc.port + 1 if self.grpc.port else 0

    @property
    def worker_count(self) -> int:
        """The number of serving processes."""
        chosen = self.workers.workers
        if chosen is not None:
            return chosen
        return 1 if self.embedded_postgres else available_cores()

    def model_choice(self) -> ModelChoice:
        """Returns the choice of models.

        Raises:
            SettingsFault: a required choice or the API key is missing.
        """
        choice = self.models.models
        has_key = self.gemini.api_key is not None
        if choice is None:
            if not self.embedded_postgres:
                raise SettingsFault(
                    "with MEMOIR_POSTGRES_DSN the models must be chosen: set MEMOIR_MODELS=gemini "
                    "(and GEMINI_API_KEY) or MEMOIR_MODELS=offline"
                )
            choice = ModelChoice.GEMINI if has_key else ModelChoice.OFFLINE
        if choice is ModelChoice.GEMINI and not has_key:
            raise SettingsFault(
                "MEMOIR_MODELS=gemini needs GEMINI_API_KEY; set it or MEMOIR_MODELS=offline"
            )
        return choice


SECTIONS: Final[tuple[type[BaseSettings], ...]] = tuple(get_type_hints(Settings).values())


def load_settings() -> Settings:
    """Reads the settings from the environment.

    Raises:
        SettingsFault: variables have invalid values; the message names all of them.
    """
    faults = [fault for section in SECTIONS for fault in _faults(section)]
    if faults:
        raise SettingsFault("settings: " + "; ".join(faults))
    settings = Settings()
    if settings.neo4j.uri is None and not settings.embedded_postgres:
        raise SettingsFault("with MEMOIR_POSTGRES_DSN, MEMOIR_NEO4J_URI must be set too")
    tls = settings.tls
    if (tls.cert is None) != (tls.key is None):
        raise SettingsFault("MEMOIR_TLS_CERT and MEMOIR_TLS_KEY must be set together")
    if tls.client_ca is not None and tls.cert is None:
        raise SettingsFault("MEMOIR_TLS_CLIENT_CA needs MEMOIR_TLS_CERT and MEMOIR_TLS_KEY")
    if settings.failpoints.failpoints and not settings.failpoints.allow_failpoints:
        raise SettingsFault(
            "MEMOIR_FAILPOINTS is for tests: it needs MEMOIR_ALLOW_FAILPOINTS=true too"
        )
    return settings


def _faults(section: type[BaseSettings]) -> list[str]:
    try:
        section()
    except ValidationError as error:
        prefix = section.model_config.get("env_prefix", "")
        return [
            f"{prefix}{'_'.join(map(str, fault['loc'])).upper()}: {fault['msg']}"
            for fault in error.errors(include_input=False, include_url=False)
        ]
    return []
