"""Converting messages of the contract to JSON, compared with protobuf's own conversion."""

from __future__ import annotations

import math
import random
from typing import Any

import pytest
from google.longrunning import operations_proto_pb2
from google.protobuf import json_format
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from google.protobuf.struct_pb2 import Struct
from google.protobuf.timestamp_pb2 import Timestamp
from memoir.v1.memory_service_pb2 import AddMemoriesResponse, SearchMemoriesResult

from server.api.grpc.convert.values import from_struct
from server.api.grpc.local import CONTRACT_METHODS
from server.api.http.writing import message_json, time_json

_F = FieldDescriptor
ANSWERS = {method.output_type.full_name: method.output_type for method in CONTRACT_METHODS.values()}
_BOUNDS = {
    _F.TYPE_INT32: (-(2**31), 2**31 - 1),
    _F.TYPE_UINT32: (0, 2**32 - 1),
    _F.TYPE_INT64: (-(2**63), 2**63 - 1),
    _F.TYPE_UINT64: (0, 2**64 - 1),
}


def by_protobuf(message: Message) -> Any:
    return json_format.MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )


def filled(kind: Descriptor, chance: random.Random, depth: int = 0) -> Any:
    """A message of which about half of the fields are set."""
    message = GetMessageClass(kind)()
    if kind.full_name.startswith("google.protobuf."):
        return well_known(message, chance)
    described: Any = kind.fields
    for field in described:
        if chance.random() < 0.5 or depth > 4:
            continue
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            getattr(message, field.name)["some key"] = chance.randrange(2**40)
        elif field.is_repeated:
            items: Any = getattr(message, field.name)
            for _ in range(chance.randrange(3)):
                if field.message_type is not None:
                    items.add().CopyFrom(filled(field.message_type, chance, depth + 1))
                else:
                    items.append(scalar(field, chance))
        elif field.message_type is not None:
            getattr(message, field.name).CopyFrom(filled(field.message_type, chance, depth + 1))
        else:
            setattr(message, field.name, scalar(field, chance))
    return message


def scalar(field: FieldDescriptor, chance: random.Random) -> Any:
    if field.enum_type is not None:
        return chance.choice([value.number for value in field.enum_type.values])
    if field.type in _BOUNDS:
        return chance.randint(*_BOUNDS[field.type])
    if field.type == _F.TYPE_DOUBLE:
        return chance.choice([0.0, 0.1, 1 / 3, -2.5e300, math.inf, -math.inf, math.nan])
    if field.type == _F.TYPE_BOOL:
        return chance.random() < 0.5
    return chance.choice(["", "é\n\u2028", "x" * 300])


def well_known(message: Any, chance: random.Random) -> Any:
    if isinstance(message, Struct):
        message.update({"a": [1, {"b": None}, "x"], "c": True, "d": chance.random(), "e": {}})
    elif isinstance(message, Timestamp):
        message.seconds = chance.randint(-62_135_596_800, 253_402_300_799)
        message.nanos = chance.choice([0, 5_000_000, 123_456_000, 999_999_999])
    elif message.DESCRIPTOR.full_name == "google.protobuf.Duration":
        message.FromMilliseconds(chance.randrange(10**9))
    elif message.DESCRIPTOR.full_name == "google.protobuf.Any":
        message.Pack(AddMemoriesResponse(consistency_token="t"))
    return message


@pytest.mark.parametrize("kind", list(ANSWERS.values()), ids=list(ANSWERS))
def test_every_response_equals_the_json_of_protobuf(kind: Descriptor) -> None:
    chance = random.Random(kind.full_name)
    for _ in range(40):
        message = filled(kind, chance)
        assert repr_of(message_json(message)) == repr_of(by_protobuf(message))


def repr_of(value: Any) -> str:
    """Returns the same text for equal JSON values: 1 equals 1.0, and the order is ignored."""
    if isinstance(value, dict):
        return repr(sorted((name, repr_of(item)) for name, item in value.items()))
    if isinstance(value, list):
        return repr([repr_of(item) for item in value])
    return repr(float(value)) if type(value) is int else repr(value)


def test_empty_fields_are_written_and_absent_ones_are_not() -> None:
    value = message_json(SearchMemoriesResult())
    assert value["score"] == 0
    assert value["arms"] == []
    assert "memory" not in value


def test_the_response_of_an_operation_names_its_type() -> None:
    operation = operations_proto_pb2.Operation(name="o", done=True)
    operation.response.Pack(AddMemoriesResponse())
    assert message_json(operation)["response"]["@type"].endswith("memoir.v1.AddMemoriesResponse")


def test_whole_numbers_in_a_struct_have_no_decimals() -> None:
    struct = Struct()
    struct.update({"year": 2026, "half": 0.5, "large": 1e300})
    assert repr(from_struct(struct)["year"]) == "2026"
    assert from_struct(struct)["half"] == 0.5
    assert repr(from_struct(struct)["large"]) == "1e+300"


@pytest.mark.parametrize("seconds", [-62_135_596_800, -1, 0, 1_780_000_000, 253_402_300_799])
@pytest.mark.parametrize("nanos", [0, 1, 1_000, 1_000_000, 999_000_000, 120_000_000])
def test_times_are_written_as_by_protobuf(seconds: int, nanos: int) -> None:
    instant = Timestamp(seconds=seconds, nanos=nanos)
    assert time_json(instant) == instant.ToJsonString()
