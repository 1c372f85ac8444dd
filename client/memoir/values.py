"""Helpers for reading messages of the contract."""

from __future__ import annotations

from datetime import UTC, datetime

from google.protobuf.message import Message as ProtoMessage
from google.protobuf.timestamp_pb2 import Timestamp


def to_datetime(timestamp: Timestamp) -> datetime:
    """Returns the instant in UTC."""
    return timestamp.ToDatetime(UTC)


def optional_string(message: ProtoMessage, field: str) -> str | None:
    """Returns the value of an optional string; None if it is not set."""
    return str(getattr(message, field)) if message.HasField(field) else None
