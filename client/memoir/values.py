"""Helpers for reading messages of the contract."""

from __future__ import annotations

from datetime import UTC, datetime

from google.protobuf.message import Message as ProtoMessage
from google.protobuf.timestamp_pb2 import Timestamp


def to_datetime(timestamp: Timestamp) -> datetime:
    """The instant, in UTC."""
    return timestamp.ToDatetime(UTC)


def optional_string(message: ProtoMessage, field: str) -> str | None:
    """The value of an optional string; None where it was not set."""
    return str(getattr(message, field)) if message.HasField(field) else None
