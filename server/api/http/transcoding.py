"""Serves the whole contract as plain JSON, by the `google.api.http` rules in the .proto files.

The rules are defined in
https://github.com/googleapis/googleapis/blob/master/google/api/http.proto. Fields that are neither
in the path nor in the body are read from the query. JSON has the field names of the contract, and
contains empty fields. Streams are sent as lines of JSON.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson
from google.api import annotations_pb2, http_pb2
from google.protobuf.descriptor import Descriptor, FieldDescriptor, MethodDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from starlette.convertors import Convertor, register_url_convertor
from starlette.routing import Route

from server.api.grpc.local import CONTRACT_METHODS
from server.api.http.door import Door, OneCall, ReadRequest
from server.api.http.exchange import Exchange, message_of
from server.api.http.writing import message_json
from server.core.errors import FieldViolation

_NAME: Final = "{name=projects/*/operations/*}"
# Google's annotations of this service use operation names without a project.
OPERATIONS: Final[Mapping[str, http_pb2.HttpRule]] = {
    "GetOperation": http_pb2.HttpRule(get=f"/memoir/v1/{_NAME}"),
    "ListOperations": http_pb2.HttpRule(get="/memoir/v1/{name=projects/*}/operations"),
    "WaitOperation": http_pb2.HttpRule(post=f"/memoir/v1/{_NAME}:wait", body="*"),
    "CancelOperation": http_pb2.HttpRule(post=f"/memoir/v1/{_NAME}:cancel", body="*"),
    "DeleteOperation": http_pb2.HttpRule(delete=f"/memoir/v1/{_NAME}"),
}
_VARIABLE: Final = re.compile(r"\{(\w+)(?:=([^}]*))?\}")
_REQUEST_ID: Final = "request_id"


@dataclass(frozen=True, slots=True)
class Binding:
    """One path of a method. With `has_body`, the request's fields are in the body."""

    name: str
    descriptor: MethodDescriptor
    http_method: str
    template: str
    has_body: bool

    @property
    def path(self) -> str:
        """The template in OpenAPI's syntax."""
        return _VARIABLE.sub(r"{\1}", self.template)

    @property
    def variables(self) -> Sequence[str]:
        """The fields in the path."""
        return [found[1] for found in _VARIABLE.finditer(self.template)]


def bindings() -> Iterator[Binding]:
    """Yields all paths of all methods of the contract."""
    for name, method in CONTRACT_METHODS.items():
        rule = OPERATIONS.get(method.name) or method.GetOptions().Extensions[annotations_pb2.http]
        for each in (rule, *rule.additional_bindings):
            http_method = each.WhichOneof("pattern")
            template = getattr(each, http_method)
            yield Binding(name, method, http_method.upper(), template, each.body == "*")


def transcoded_routes(door: Door) -> list[Route]:
    """Returns a route for each path."""
    return [_route(door, binding) for binding in bindings()]


def _route(door: Door, binding: Binding) -> Route:
    request = GetMessageClass(binding.descriptor.input_type)
    endpoint = door.endpoint(OneCall(request, _reader(request, binding), _write))
    return Route(_starlette_path(binding.template), endpoint, methods=[binding.http_method])


def _write(response: Message, _exchange: Exchange) -> object:
    return message_json(response)


def _starlette_path(template: str) -> str:
    def convert(found: re.Match[str]) -> str:
        if found[2] is None:
            # A colon begins the verb of a custom method, such as `:restore`.
            return f"{{{found[1]}:{_convertor('*')}}}"
        return f"{{{found[1]}:{_convertor(found[2])}}}"

    return _VARIABLE.sub(convert, template)


def _convertor(pattern: str) -> str:
    """Registers a convertor for variables of this pattern, and returns its name."""
    name = pattern.replace("*", "one").replace("/", "_")
    register_url_convertor(name, _variable(pattern))
    return name


def _variable(pattern: str) -> Convertor[str]:
    class Variable(Convertor[str]):
        """Matches the pattern, in which each `*` is one segment of a path."""

        regex = "[^/:]+".join(re.escape(part) for part in pattern.split("*"))

        def convert(self, value: str) -> str:
            return value

        def to_string(self, value: str) -> str:
            return value

    return Variable()


def _reader(kind: type[Message], binding: Binding) -> ReadRequest:
    def read(exchange: Exchange) -> Message:
        violations: list[FieldViolation] = []
        query = _from_query(kind.DESCRIPTOR, exchange)
        if binding.has_body:
            value = exchange.json_object()
            violations += [FieldViolation(name, "must be in the body") for name in query]
        else:
            value = query
            if exchange.body:
                violations.append(FieldViolation("", "this method takes no body"))
        for name, text in exchange.path.items():
            if value.setdefault(name, text) != text:
                violations.append(FieldViolation(name, "differs from the path"))
        if _REQUEST_ID in kind.DESCRIPTOR.fields_by_name and (key := exchange.request_id()):
            value.setdefault(_REQUEST_ID, key)
        return message_of(kind, value, violations)

    return read


def _from_query(kind: Any, exchange: Exchange) -> dict[str, Any]:
    """Returns the fields of the query as JSON; `a.b=c` sets a field of a nested message."""
    result: dict[str, Any] = {}
    query = exchange.request.query_params
    for path in query:
        *outer, name = path.split(".")
        inner, inner_kind = result, kind
        for step in outer:
            value = inner.setdefault(step, {})
            # A scalar of the same name was read before; its field refuses it.
            inner = value if isinstance(value, dict) else {}
            field = inner_kind.fields_by_name.get(step) if inner_kind else None
            inner_kind = field.message_type if field else None
        inner[name] = _query_value(inner_kind, name, query.getlist(path))
    return result


def _query_value(kind: Descriptor | None, name: str, texts: Sequence[str]) -> object:
    field = kind.fields_by_name.get(name) if kind else None
    if field is not None and field.is_repeated:
        return [_single(field, text) for text in texts]
    return _single(field, texts[-1])


def _single(field: FieldDescriptor | None, text: str) -> object:
    """Returns the JSON value of a text, or the text itself, which the field then refuses."""
    if field is None or field.type == FieldDescriptor.TYPE_STRING:
        return text
    if field.message_type is not None and text.lstrip()[:1] not in {"{", "["}:
        return text
    if field.enum_type is not None:
        return text
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return text
