"""The server's settings: environment variables with the prefix MEMOIR_, one class a concern."""

from __future__ import annotations

from server.settings.admission import AdmissionSettings
from server.settings.data import DataSettings
from server.settings.failpoints import FailpointSettings
from server.settings.grpc import GrpcSettings
from server.settings.inference import InferenceSettings
from server.settings.metrics import MetricsSettings
from server.settings.models import ModelChoice, ModelSettings
from server.settings.neo4j import Neo4jSettings
from server.settings.operations import OperationSettings
from server.settings.page import PageSettings
from server.settings.postgres import PostgresSettings
from server.settings.root import Settings, SettingsFault, load_settings
from server.settings.telemetry import LogFormat, TelemetrySettings
from server.settings.workers import WorkerSettings

__all__ = [
    "AdmissionSettings",
    "DataSettings",
    "FailpointSettings",
    "GrpcSettings",
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
    "WorkerSettings",
    "load_settings",
]
