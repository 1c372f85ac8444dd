"""Converts Python arguments to the requests of the contract."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import TypedDict, TypeVar

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message as ProtoMessage
from memoir.v1 import memory_pb2


class Message(TypedDict, total=False):
    """One utterance: `role` is `user`, `assistant`, `system` or `tool`; `name` is the speaker's."""

    role: str
    content: str | None
    name: str


Messages = str | Message | Sequence[Message]
"""A text that the user said, a message, or a conversation, oldest message first."""

RequestT = TypeVar("RequestT", bound=ProtoMessage)


def to_messages(messages: Messages) -> list[memory_pb2.Message]:
    """Returns the messages of the contract; a string becomes a user message.

    Raises:
        TypeError, ValueError: the type is wrong, or a message has an unknown key.
    """
    if isinstance(messages, str):
        return [memory_pb2.Message(role="user", content=messages)]
    if isinstance(messages, Mapping):
        return [memory_pb2.Message(**messages)]
    return [memory_pb2.Message(**message) for message in messages]


def build(request_type: type[RequestT], fields: Mapping[str, object]) -> RequestT:
    """Returns a request with these fields; None leaves a field out.

    Dictionaries, datetimes and timedeltas are converted to the type of the field. A datetime
    without a time zone is taken as UTC.

    Raises:
        TypeError, ValueError: a field does not exist, or its value has the wrong type.
    """
    given = {
        name: _value(request_type, name, value)
        for name, value in fields.items()
        if value is not None
    }
    return request_type(**given)


def _value(request_type: type[ProtoMessage], name: str, value: object) -> object:
    if isinstance(value, datetime):
        return _unix_seconds(value) if _is_integer(request_type, name) else value
    return value.isoformat() if isinstance(value, date) else value


def _unix_seconds(instant: datetime) -> int:
    aware = instant if instant.tzinfo else instant.replace(tzinfo=UTC)
    return int(aware.timestamp())


def _is_integer(request_type: type[ProtoMessage], name: str) -> bool:
    field = request_type.DESCRIPTOR.fields_by_name.get(name)
    return field is not None and field.type == FieldDescriptor.TYPE_INT64
