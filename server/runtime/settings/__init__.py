"""The server's settings: environment variables with the prefix MEMOIR_, in a class per concern."""

from __future__ import annotations

from server.runtime.settings.dependencies import (
    DataSettings,
    GeminiSettings,
    InferenceSettings,
    ModelChoice,
    ModelSettings,
    Neo4jSettings,
    OperationSettings,
    PostgresSettings,
)
from server.runtime.settings.root import Settings, SettingsFault, load_settings
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
)

__all__ = [
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
