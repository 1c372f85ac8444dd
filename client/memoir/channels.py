"""Opens channels: addresses, load balancing, keepalive and TLS."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import grpc
import grpc.aio

_SERVICE_CONFIG = json.dumps({"loadBalancingConfig": [{"round_robin": {}}]})

# A balancer or a firewall may silently drop an idle connection, which the ping detects. The client
# reconnects to a restarting server every few seconds, as often as it retries calls.
_OPTIONS: tuple[tuple[str, str | int], ...] = (
    ("grpc.service_config", _SERVICE_CONFIG),
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.min_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 5_000),
)

API_KEY_VARIABLE = "MEMOIR_API_KEY"


@dataclass(frozen=True, slots=True)
class Tls:
    """TLS: the authorities to trust, and the client's certificate and key for mutual TLS.

    All are paths of PEM files. Without `ca_certificate` the system's authorities are trusted.
    """

    ca_certificate: str | Path | None = None
    certificate: str | Path | None = None
    private_key: str | Path | None = None

    def credentials(self) -> grpc.ChannelCredentials:
        """Returns the credentials of a channel.

        Raises:
            OSError: a file cannot be read.
        """
        return grpc.ssl_channel_credentials(
            _read(self.ca_certificate), _read(self.private_key), _read(self.certificate)
        )


TLS_VARIABLE = "MEMOIR_TLS"
TLS_FILE_VARIABLES = ("MEMOIR_TLS_CA", "MEMOIR_TLS_CERT", "MEMOIR_TLS_KEY")


def tls_of(environment: Mapping[str, str]) -> Tls | None:
    """Returns the TLS settings of the environment: `MEMOIR_TLS=true` or any of the files."""
    files = [environment.get(name) or None for name in TLS_FILE_VARIABLES]
    if environment.get(TLS_VARIABLE, "").lower() != "true" and not any(files):
        return None
    return Tls(*files)


def open_channel(address: str, tls: Tls | None) -> grpc.Channel:
    """Returns a channel that spreads its calls over all addresses of the name."""
    if tls is None:
        return grpc.insecure_channel(address, _OPTIONS)
    return grpc.secure_channel(address, tls.credentials(), _OPTIONS)


def open_async_channel(address: str, tls: Tls | None) -> grpc.aio.Channel:
    """Returns the same channel for asyncio."""
    if tls is None:
        return grpc.aio.insecure_channel(address, _OPTIONS)
    return grpc.aio.secure_channel(address, tls.credentials(), _OPTIONS)


def api_key_or_default(api_key: str | None) -> str:
    """Returns the key, or else the key in the environment.

    Raises:
        ValueError: there is no key.
    """
    key = api_key or os.environ.get(API_KEY_VARIABLE)
    if not key:
        raise ValueError(f"pass api_key, or set {API_KEY_VARIABLE}")
    return key


def _read(path: str | Path | None) -> bytes | None:
    return None if path is None else Path(path).read_bytes()
