"""All rules of the contract for a request, whichever way they are written."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import protovalidate
from google.protobuf.message import Message

from server.domain.errors import FieldViolation, InvalidRequest
from server.transport.large_messages import item_fields, outline, without_structs
from server.transport.rules import broken_filters, broken_rules
from server.transport.sizes import oversized

# Rules of a whole message have no field of their own; a client is better told where to begin.
_FIELD_OF_MESSAGE_RULE = {"scope.required": "user_id", "scope.across": "across_scopes"}


def check(request: Message, now: datetime) -> None:
    """Lets a valid request pass.

    Raises:
        InvalidRequest: with every violation; of a request that is far too large, only those that
            say so.
    """
    _check(request, now, field_violations)


def check_large(request: Message, now: datetime) -> None:
    """The same for a large request, in steps that are short each; for a thread."""
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
    """What `field_violations` finds, in the order of the fields, item by item of every list."""
    lists = tuple(f"{name}[" for _, name, _ in item_fields(request))
    found = [
        violation
        for violation in field_violations(without_structs(outline(request)))
        # The blank items break rules that the real ones may keep.
        if not violation.field.startswith(lists)
    ]
    for _, name, items in item_fields(request):
        for index, item in enumerate(items):
            for violation in field_violations(without_structs(item)):
                path = f"{name}[{index}].{violation.field}".removesuffix(".")
                found.append(FieldViolation(path, violation.description))
    return found


def field_violations(request: Message) -> list[FieldViolation]:
    """The violations of the rules in the .proto."""
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
