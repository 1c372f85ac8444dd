"""The contract over HTTP: every method has paths, and no two methods share one."""

from __future__ import annotations

import re
from collections import Counter

from google.api import annotations_pb2

from server.api.grpc.local import CONTRACT_METHODS
from server.api.http.mem0.routes import TABLE
from server.api.http.openapi import document
from server.api.http.transcoding import OPERATIONS, bindings

_UNSAFE = re.compile("Add|Update|Delete|Restore|Batch|Cancel|Wait|Search")


def test_every_method_of_the_contract_has_a_path() -> None:
    assert {each.name for each in bindings()} == set(CONTRACT_METHODS)


def test_every_method_is_annotated_in_its_proto() -> None:
    for name, method in CONTRACT_METHODS.items():
        rule = OPERATIONS.get(method.name) or method.GetOptions().Extensions[annotations_pb2.http]
        assert rule.WhichOneof("pattern"), name


def test_no_two_methods_share_a_path() -> None:
    places = Counter((each.http_method, each.path) for each in bindings())
    assert set(places.values()) == {1}


def test_no_path_is_one_of_mem0() -> None:
    assert all(each.path.startswith("/memoir/v1/") for each in bindings())
    assert not [row for row in TABLE if row.path.startswith("/memoir")]


def test_variables_of_paths_are_required_strings_of_the_request() -> None:
    for each in bindings():
        fields = each.descriptor.input_type.fields_by_name
        for variable in each.variables:
            assert fields[variable].type == fields[variable].TYPE_STRING, each.name


def test_exactly_the_reads_use_get() -> None:
    for each in bindings():
        method = each.descriptor.name
        if each.http_method == "GET":
            assert not _UNSAFE.match(method), method
        else:
            assert _UNSAFE.match(method) or each.path.endswith(":list"), method


def test_fields_of_a_write_are_in_the_body() -> None:
    for each in bindings():
        assert each.has_body == (each.http_method in {"POST", "PATCH", "PUT"}), each.name


def test_the_openapi_document_has_every_path_and_every_schema() -> None:
    openapi = document()
    for each in bindings():
        assert each.http_method.lower() in openapi["paths"][each.path]
    for row in TABLE:
        assert row.method.lower() in openapi["paths"][row.path]
    references = set(re.findall(r"#/components/schemas/([\w.]+)", str(openapi)))
    assert references == set(openapi["components"]["schemas"])


def test_the_openapi_document_describes_everything_in_the_contract() -> None:
    openapi = document()
    for each in bindings():
        if each.name.startswith("memoir.v1."):
            operation = openapi["paths"][each.path][each.http_method.lower()]
            assert operation["description"], each.name
            assert all(parameter["description"] for parameter in operation["parameters"])
    for name, schema in openapi["components"]["schemas"].items():
        if name.startswith("memoir.v1."):
            assert schema["description"], name
            assert all(field["description"] for field in schema["properties"].values()), name
