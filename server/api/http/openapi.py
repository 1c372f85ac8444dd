"""`/openapi.json`: describes all paths, from the descriptors and the table of Mem0's paths.

The descriptions of fields and methods are the comments in the .proto files.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any, Final

import orjson
from google.protobuf.descriptor import Descriptor, FieldDescriptor, MethodDescriptor
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from server import __version__
from server.api.http.faults import JSON
from server.api.http.mem0.routes import TABLE
from server.api.http.transcoding import Binding, bindings

_F = FieldDescriptor
_NUMBERS: Final = frozenset({_F.CPPTYPE_DOUBLE, _F.CPPTYPE_FLOAT})
_INTEGERS: Final = frozenset({_F.CPPTYPE_INT32, _F.CPPTYPE_UINT32})
_WELL_KNOWN: Final[dict[str, dict[str, Any]]] = {
    "google.protobuf.Struct": {"type": "object"},
    "google.protobuf.Value": {},
    "google.protobuf.Any": {"type": "object"},
    "google.protobuf.Timestamp": {"type": "string", "format": "date-time"},
    "google.protobuf.Duration": {"type": "string"},
    "google.protobuf.FieldMask": {"type": "string"},
}
_COMMENTS: Final[Mapping[str, str]] = json.loads(
    files("memoir.v1").joinpath("comments.json").read_text(encoding="utf-8")
)
_PATH_VARIABLE: Final = re.compile(r"\{(\w+)(?::\w+)?\}")
_ERROR: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "error": {"type": "string"},
        "details": {"type": "object"},
        "detail": {"type": "string"},
    },
}


def openapi_route() -> Route:
    """Returns a route that serves the document, which is the same for all clients."""
    body = orjson.dumps(document())

    async def endpoint(_request: Request) -> Response:
        return Response(body, media_type=JSON)

    return Route("/openapi.json", endpoint, methods=["GET"])


def document() -> dict[str, Any]:
    """Returns the OpenAPI 3.1 document."""
    schemas: dict[str, Any] = {"Error": _ERROR}
    paths: dict[str, dict[str, Any]] = {}
    for row in TABLE:
        path = _PATH_VARIABLE.sub(r"{\1}", row.path)
        paths.setdefault(path, {})[row.method.lower()] = {
            "tags": ["mem0"],
            "summary": row.summary,
            "parameters": _path_parameters(_PATH_VARIABLE.findall(row.path)),
            **({"requestBody": _body({"type": "object"})} if row.method != "GET" else {}),
            "responses": _responses({}),
        }
    for binding in bindings():
        paths.setdefault(binding.path, {})[binding.http_method.lower()] = _operation(
            binding, schemas
        )
    return {
        "openapi": "3.1.0",
        "info": {"title": "Memoir", "version": __version__},
        "security": [{"key": []}],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "key": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "Authorization",
                    "description": "Token <key>",
                }
            },
        },
    }


def _operation(binding: Binding, schemas: dict[str, Any]) -> dict[str, Any]:
    method = binding.descriptor
    request: Any = method.input_type
    parameters = [
        {**parameter, **_comment(request.fields_by_name[parameter["name"]])}
        for parameter in _path_parameters(binding.variables)
    ]
    body: dict[str, Any] = {}
    if binding.has_body:
        body = {"requestBody": _body(_reference(request, schemas))}
    else:
        parameters += [
            {
                "name": field.name,
                "in": "query",
                "schema": _field(field, schemas),
                **_comment(field),
            }
            for field in request.fields
            if field.name not in binding.variables
        ]
    response = _reference(method.output_type, schemas)
    kind = "application/x-ndjson" if method.server_streaming else JSON
    return {
        "tags": [method.containing_service.name],
        "operationId": f"{method.name}_{binding.http_method.lower()}",
        "summary": method.name,
        **_comment(method),
        "parameters": parameters,
        **body,
        "responses": _responses(response, kind),
    }


def _path_parameters(names: Sequence[str]) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in names
    ]


def _body(schema: dict[str, Any]) -> dict[str, Any]:
    return {"content": {JSON: {"schema": schema}}}


def _responses(schema: dict[str, Any], kind: str = JSON) -> dict[str, Any]:
    error = {"$ref": "#/components/schemas/Error"}
    return {
        "200": {"description": "OK", "content": {kind: {"schema": schema}}},
        "default": {"description": "Error", "content": {JSON: {"schema": error}}},
    }


def _reference(kind: Any, schemas: dict[str, Any]) -> dict[str, Any]:
    """Returns a reference to the schema of a message, which is added at its first use."""
    if kind.full_name in _WELL_KNOWN:
        return _WELL_KNOWN[kind.full_name]
    if kind.full_name not in schemas:
        # Added before its fields are converted, because they may refer to it.
        schemas[kind.full_name] = {}
        schemas[kind.full_name] = _message(kind, schemas)
    return {"$ref": f"#/components/schemas/{kind.full_name}"}


def _message(kind: Descriptor, schemas: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        **_comment(kind),
        "properties": {
            field.name: {**_field(field, schemas), **_comment(field)} for field in kind.fields
        },
    }


def _comment(declared: Descriptor | FieldDescriptor | MethodDescriptor) -> dict[str, str]:
    text = _COMMENTS.get(declared.full_name)
    return {} if text is None else {"description": text}


def _field(field: FieldDescriptor, schemas: dict[str, Any]) -> dict[str, Any]:
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        value = field.message_type.fields_by_name["value"]
        return {"type": "object", "additionalProperties": _single(value, schemas)}
    single = _single(field, schemas)
    return {"type": "array", "items": single} if field.is_repeated else single


def _single(field: FieldDescriptor, schemas: dict[str, Any]) -> dict[str, Any]:
    if field.message_type is not None:
        return _reference(field.message_type, schemas)
    if field.enum_type is not None:
        return {"type": "string", "enum": [value.name for value in field.enum_type.values]}
    if field.cpp_type == _F.CPPTYPE_BOOL:
        return {"type": "boolean"}
    if field.cpp_type in _NUMBERS:
        return {"type": "number"}
    if field.cpp_type in _INTEGERS:
        return {"type": "integer"}
    # 64-bit numbers are strings in protobuf's JSON.
    return {"type": "string"}
