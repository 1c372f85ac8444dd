"""Validates requests: the protovalidate rules of the contract, and rules in code.

Requests that are far too large are refused first, because applying the rules to half a million
empty messages would take seconds and gigabytes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

import protovalidate
from buf.validate import validate_pb2
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.struct_pb2 import Struct

from server.api.grpc.compiled_rules import surely_valid
from server.api.grpc.large_messages import item_fields, outline, without_structs
from server.api.grpc.rules import broken_filters, broken_rules
from server.core.errors import FieldViolation, InvalidRequest

# A Struct takes at most 5.5 times as many bytes as its JSON, for a list of one-digit numbers. So a
# Struct of this size has more than 64 KiB of JSON.
MAX_STRUCT_BYTES = 6 * 64 * 1024
# For lists without a limit in the contract.
MAX_ITEMS = 1000


def oversized(request: Message) -> Iterator[FieldViolation]:
    """Yields the fields that are far too large, without reading their contents."""
    for field in _unbounded_fields(request.DESCRIPTOR):
        if field.is_list:
            yield from _list(field, getattr(request, field.name))
        elif request.HasField(field.name):
            yield from _message(field.name, getattr(request, field.name))


@dataclass(frozen=True, slots=True)
class _Field:
    """A list or a message, whose size is not limited like that of a string."""

    name: str
    is_list: bool
    max_items: int
    has_unbounded_items: bool


@cache
def _unbounded_fields(kind: Descriptor) -> tuple[_Field, ...]:
    return tuple(
        _Field(field.name, field.is_repeated, _max_items(field), _has_unbounded_fields(field))
        for field in kind.fields
        if field.is_repeated or field.message_type is not None
    )


def _max_items(field: FieldDescriptor) -> int:
    rules = field.GetOptions().Extensions[validate_pb2.field].repeated
    return rules.max_items if rules.HasField("max_items") else MAX_ITEMS


def _has_unbounded_fields(field: FieldDescriptor) -> bool:
    inner = field.message_type
    return inner is not None and any(f.is_repeated or f.message_type for f in inner.fields)


def _message(path: str, message: Message) -> Iterator[FieldViolation]:
    if not isinstance(message, Struct):
        yield from _prefixed(path, message)
    elif message.ByteSize() > MAX_STRUCT_BYTES:
        yield FieldViolation(path, "is too large")


def _list(field: _Field, items: list[object]) -> Iterator[FieldViolation]:
    if len(items) > field.max_items:
        yield FieldViolation(field.name, f"must have at most {field.max_items} items")
    elif field.has_unbounded_items:
        for index, item in enumerate(items):
            if isinstance(item, Message):
                yield from _prefixed(f"{field.name}[{index}]", item)


def _prefixed(path: str, message: Message) -> Iterator[FieldViolation]:
    for violation in oversized(message):
        yield FieldViolation(f"{path}.{violation.field}", violation.description)


# The fields that are reported for rules of a whole message.
_FIELD_OF_MESSAGE_RULE = {"scope.required": "user_id", "scope.across": "across_scopes"}


def check(request: Message, now: datetime) -> None:
    """Checks a request.

    Raises:
        InvalidRequest: with every violation; for a request that is far too large, only with its
            oversized fields.
    """
    _check(request, now, field_violations)


def check_large(request: Message, now: datetime) -> None:
    """Like `check`, but in short steps, for a large request in a thread."""
    _check(request, now, violations_item_by_item)


def _check(
    request: Message, now: datetime, field_rules: Callable[[Message], list[FieldViolation]]
) -> None:
    if too_large := list(oversized(request)):
        raise InvalidRequest(too_large)
    violations = field_rules(request)
    named = {violation.field for violation in violations}
    broken = (*broken_rules(request, now), *broken_filters(request))
    violations += [violation for violation in broken if violation.field not in named]
    if violations:
        raise InvalidRequest(violations)


def violations_item_by_item(request: Message) -> list[FieldViolation]:
    """Like `field_violations`, but checks item by item. The order is that of the fields."""
    lists = tuple(f"{name}[" for _, name, _ in item_fields(request))
    found = [
        violation
        for violation in field_violations(without_structs(outline(request)))
        # The outline has blank items, which may break rules that the real items keep.
        if not violation.field.startswith(lists)
    ]
    for _, name, items in item_fields(request):
        for index, item in enumerate(items):
            for violation in field_violations(without_structs(item)):
                path = f"{name}[{index}].{violation.field}".removesuffix(".")
                found.append(FieldViolation(path, violation.description))
    return found


def field_violations(request: Message) -> list[FieldViolation]:
    """Returns the violations of the rules in the .proto."""
    if surely_valid(request):
        return []
    found = (violation.proto for violation in protovalidate.collect_violations(request))
    return [FieldViolation(_path(v), v.message or f"breaks the rule {v.rule_id}") for v in found]


def _path(violation: Any) -> str:
    if violation.field is None:
        return _FIELD_OF_MESSAGE_RULE.get(violation.rule_id, "")
    return ".".join(_step(element) for element in violation.field.elements)


def _step(element: Any) -> str:
    if element.subscript is None:
        return str(element.field_name)
    return f"{element.field_name}[{_subscript(element.subscript.value)}]"


def _subscript(value: object) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value)
