"""Times, structs and ids between protobuf and Python."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from google.protobuf.struct_pb2 import NULL_VALUE, Struct, Value
from google.protobuf.timestamp_pb2 import Timestamp

from server.domain.values import JsonObject, JsonValue

# Beyond this a double does not tell neighbouring integers apart.
MAX_EXACT_INTEGER = 2**53
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def to_timestamp(time: datetime) -> Timestamp:
    """The instant as a protobuf timestamp; `time` is aware."""
    since = time - _EPOCH
    return Timestamp(seconds=since.days * 86_400 + since.seconds, nanos=since.microseconds * 1000)


def from_timestamp(timestamp: Timestamp) -> datetime:
    """The instant of a valid timestamp, in UTC; what is finer than a microsecond is cut off."""
    return timestamp.ToDatetime(UTC)


def from_struct(struct: Struct) -> dict[str, JsonValue]:
    """A struct as a JSON object. Whole numbers become integers, as the client wrote them."""
    return {key: _from_value(value) for key, value in struct.fields.items()}


def _from_value(value: Value) -> JsonValue:
    match value.WhichOneof("kind"):
        case "number_value":
            return _from_number(value.number_value)
        case "string_value":
            return value.string_value
        case "bool_value":
            return value.bool_value
        case "struct_value":
            return from_struct(value.struct_value)
        case "list_value":
            return [_from_value(item) for item in value.list_value.values]
        case _:
            return None


def _from_number(number: float) -> int | float:
    whole = number.is_integer() and abs(number) <= MAX_EXACT_INTEGER
    return int(number) if whole else number


def to_struct(json_object: JsonObject) -> Struct:
    """A JSON object as a struct."""
    return Struct(fields={key: _to_value(value) for key, value in json_object.items()})


def _to_value(value: JsonValue) -> Value:
    match value:
        case None:
            return Value(null_value=NULL_VALUE)
        case bool():
            return Value(bool_value=value)
        case int() | float():
            return Value(number_value=value)
        case str():
            return Value(string_value=value)
        case Mapping():
            return Value(struct_value=to_struct(value))
        case Sequence():
            result = Value()
            result.list_value.values.extend(_to_value(item) for item in value)
            return result
