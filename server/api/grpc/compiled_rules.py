"""Checks quickly that a request keeps its field rules, as nearly every request does.

protovalidate evaluates all rules of a message, and touches so much memory that it takes longer than
the rest of the interceptors. Here the common rules are functions, compiled from the same .proto and
called for the fields that are set. Other rules, and every request that seems to break a rule, are
left to protovalidate: only protovalidate reports violations.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, Final, TypeAlias

from buf.validate import validate_pb2
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from memoir.v1 import field_rules_pb2

Check: TypeAlias = Callable[[Any], bool]
"""Whether a value certainly keeps the rules."""

_LONGEST_UTF8: Final = 4
_UUID: Final = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def surely_valid(request: Message) -> bool:
    """Whether the request certainly keeps the rules of its .proto."""
    return _rules_of(request.DESCRIPTOR).check(request)


@dataclass(frozen=True, slots=True)
class _MessageRules:
    """The rules of one type of message.

    The rules in `always`, by name of the field, are checked even if the field is not set; those in
    `if_set`, by its number, only if it is.
    """

    whole: Check
    always: tuple[tuple[str, Check], ...]
    if_set: Mapping[int, Check]

    def check(self, message: Message) -> bool:
        """Whether the message certainly keeps all rules."""
        for name, check in self.always:
            if not check(getattr(message, name)):
                return False
        for field, value in message.ListFields():
            check_set = self.if_set.get(field.number)
            if check_set is not None and not check_set(value):
                return False
        return self.whole(message)


@cache
def _rules_of(descriptor: Descriptor) -> _MessageRules:
    rules = {field: _field_rules(field) for field in descriptor.fields}
    always = {
        field: check
        for field, check in rules.items()
        if check is not None
        and (_is_required(field) or (not field.has_presence and not check(_unset(field))))
    }
    return _MessageRules(
        _whole_message_rules(descriptor),
        tuple((field.name, check) for field, check in always.items()),
        {
            field.number: check
            for field, check in rules.items()
            if check is not None and field not in always
        },
    )


def _is_required(field: FieldDescriptor) -> bool:
    return bool(field.GetOptions().Extensions[validate_pb2.field].required)


def _unset(field: FieldDescriptor) -> object:
    return () if field.is_repeated else field.default_value


def _leave_open(_value: object) -> bool:
    return False


def _accept(_value: object) -> bool:
    return True


_ONE_OF_FIELDS: Final = re.compile(r"has\(this\.\w+\)(?: \|\| has\(this\.\w+\))*")


def _whole_message_rules(descriptor: Descriptor) -> Check:
    """Returns the rules of a message as a whole.

    Only rules that require one of several fields are compiled; others are left to protovalidate.
    """
    if any(oneof.GetOptions().HasExtension(validate_pb2.oneof) for oneof in descriptor.oneofs):
        return _leave_open
    rules = descriptor.GetOptions().Extensions[validate_pb2.message]
    if any(field.name != "cel" for field, _ in rules.ListFields()):
        return _leave_open
    if not all(_ONE_OF_FIELDS.fullmatch(rule.expression) for rule in rules.cel):
        return _leave_open
    required = [re.findall(r"this\.(\w+)", rule.expression) for rule in rules.cel]
    return lambda message: all(any(map(message.HasField, names)) for names in required)


def _field_rules(field: FieldDescriptor) -> Check | None:
    """Returns the rules of a field and of the messages in it; None if there are none."""
    rules = field.GetOptions().Extensions[validate_pb2.field]
    inner = _inner_rules(field)
    if field.is_repeated:
        if any(kind.name != "repeated" for kind, _ in rules.ListFields()):
            return _leave_open
        return _list_rules(rules.repeated, inner)
    own = _compiled(rules)
    if own is None or inner is None:
        return own or inner
    return _leave_open


def _inner_rules(field: FieldDescriptor) -> Check | None:
    """Returns the rules of the messages in a field; None if it holds none or they have none."""
    inner = field.message_type
    if inner is None or not _has_rules(inner):
        return None
    if inner.GetOptions().map_entry:
        return _leave_open
    return lambda message: _rules_of(inner).check(message)


@cache
def _has_rules(descriptor: Descriptor, outer: frozenset[Descriptor] = frozenset()) -> bool:
    """Whether a message has rules, itself or in a message that it contains.

    `outer` are the messages that contain it, so that messages which contain themselves end.
    """
    if descriptor in outer:
        return False
    return _whole_message_rules(descriptor) is _leave_open or any(
        field.GetOptions().HasExtension(validate_pb2.field)
        or (field.message_type is not None and _has_rules(field.message_type, outer | {descriptor}))
        for field in descriptor.fields
    )


def _list_rules(rules: validate_pb2.RepeatedRules, item_check: Check | None) -> Check | None:
    named = {rule.name for rule, _ in rules.ListFields()}
    if not named <= {"min_items", "max_items", "items", "unique"}:
        return _leave_open
    if rules.HasField("items"):
        item_check = _compiled(rules.items) if item_check is None else _leave_open
    if not named and item_check is None:
        return None
    least, most = rules.min_items, rules.max_items if "max_items" in named else float("inf")
    each, is_unique = item_check or _accept, rules.unique
    return lambda items: (
        least <= len(items) <= most
        and all(map(each, items))
        and (not is_unique or len(items) == len(set(items)))
    )


def _compiled(rules: validate_pb2.FieldRules) -> Check | None:
    """Returns the rules of a single value; None if there are none."""
    found = [_rule(name, limit) for name, limit in _named(rules)]
    if len(found) <= 1:
        return found[0] if found else None
    return lambda value: all(check(value) for check in found)


def _named(rules: validate_pb2.FieldRules) -> Iterator[tuple[str, Any]]:
    """Yields the rules by their full names, each with its limit."""
    for kind, values in rules.ListFields():
        if isinstance(values, Message):
            yield from ((rule.full_name, limit) for rule, limit in values.ListFields())
        else:
            yield kind.full_name, values


def _rule(name: str, limit: Any) -> Check:
    compile_rule = _RULES.get(name)
    return _leave_open if compile_rule is None else compile_rule(limit)


def _is_identifier(most: int, value: str) -> bool:
    """Whether the value is short and printable, so that it has no control characters."""
    return 1 <= len(value) <= most and value.isprintable()


# Lengths are in code points, as in protovalidate, except `max_bytes`.
_RULES: Final[Mapping[str, Callable[[Any], Check]]] = {
    "buf.validate.StringRules.min_len": lambda least: lambda value: len(value) >= least,
    "buf.validate.StringRules.max_len": lambda most: lambda value: len(value) <= most,
    "buf.validate.StringRules.max_bytes": (
        lambda most: lambda value: _LONGEST_UTF8 * len(value) <= most
    ),
    "buf.validate.StringRules.in": lambda allowed: frozenset(allowed).__contains__,
    "buf.validate.StringRules.uuid": lambda _is_one: lambda value: bool(_UUID.fullmatch(value)),
    field_rules_pb2.max_id_length.full_name: lambda most: partial(_is_identifier, most),
    **{
        f"buf.validate.{kind}Rules.{rule}": compare
        for kind in ("Int32", "Int64", "Double")
        for rule, compare in {
            "gte": lambda least: lambda value: value >= least,
            "lte": lambda most: lambda value: value <= most,
        }.items()
    },
}
