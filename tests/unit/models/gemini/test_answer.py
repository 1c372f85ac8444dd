"""Parsing a model's answer strictly."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.memories.add.inference import ProposedEntity, ProposedOperation, ProposedRelation
from server.models.gemini.answers import MalformedAnswer
from server.models.gemini.language_model import answer_schema, parse_answer

SECRET = "the user's secret"


def operation(**changes: object) -> dict[str, object]:
    return {
        "message": 1,
        "quote": "I live in Oslo",
        "action": "ADD",
        "text": "User lives in Oslo.",
        "categories": ["personal_details"],
        "entities": [{"name": "Oslo", "type": "place"}],
        "relations": [{"source": "user", "relation": "lives_in", "target": "Oslo"}],
    } | changes


def answered(*operations: object) -> str:
    return json.dumps({"operations": operations})


def test_a_whole_answer_is_read() -> None:
    assert parse_answer(answered(operation(action="UPDATE", target=3))) == [
        ProposedOperation(
            action="UPDATE",
            text="User lives in Oslo.",
            message=1,
            quote="I live in Oslo",
            target=3,
            categories=("personal_details",),
            entities=(ProposedEntity("Oslo", "place"),),
            relations=(ProposedRelation("user", "lives_in", "Oslo"),),
        )
    ]


def test_an_answer_without_operations_is_valid() -> None:
    assert parse_answer(answered()) == []


@pytest.mark.parametrize("target", [{}, {"target": None}])
def test_an_addition_has_no_target(target: dict[str, object]) -> None:
    assert parse_answer(answered(operation(**target)))[0].target is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        "{}",
        answered(operation())[:-3],
        f"```json\n{answered(operation())}\n```",
        answered(operation(action="MERGE")),
        answered(operation(message="1")),
        answered(operation(message=1.5)),
        answered(operation(target="memory-7")),
        answered(operation(text=None)),
        answered(operation(entities=["Oslo"])),
        answered(operation(relations=[{"source": "user", "target": "Oslo"}])),
        answered(operation(user_id="mallory")),
        answered({key: value for key, value in operation().items() if key != "quote"}),
        '{"operations":' + "[" * 10_000,
    ],
)
def test_an_answer_of_another_shape_is_refused(text: str) -> None:
    with pytest.raises(MalformedAnswer):
        parse_answer(text)


def test_problems_name_the_place_and_never_the_text() -> None:
    with pytest.raises(MalformedAnswer) as caught:
        parse_answer(answered(operation(), operation(action=SECRET, message=SECRET)))

    assert sorted(caught.value.problems) == [
        "operations.1.action: literal_error",
        "operations.1.message: int_type",
    ]
    assert caught.value.__suppress_context__


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        operations = parse_answer(text)
    except MalformedAnswer:
        return
    assert isinstance(operations, list)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: (
            st.lists(inner) | st.dictionaries(st.sampled_from(sorted(operation())), inner)
        ),
        max_leaves=10,
    )
)
def test_any_value_in_place_of_an_operation_is_read_or_refused(value: object) -> None:
    try:
        operations = parse_answer(answered(value))
    except MalformedAnswer:
        return
    assert all(isinstance(operation, ProposedOperation) for operation in operations)


def test_the_schema_has_the_evidence_before_the_action() -> None:
    schema: Any = answer_schema()
    fields = list(schema["$defs"]["AnsweredOperation"]["properties"])

    assert fields.index("quote") < fields.index("action") < fields.index("text")


def test_the_schema_forbids_other_fields_and_uses_only_keywords_of_gemini() -> None:
    objects = [node for node in nodes(answer_schema()) if node.get("type") == "object"]

    assert len(objects) == 4
    assert all(node["additionalProperties"] is False for node in objects)
    unknown_or_idle = {"title", "description", "default"}
    assert not [node for node in nodes(answer_schema()) if unknown_or_idle & set(node)]


def nodes(value: object) -> Iterator[dict[str, object]]:
    if isinstance(value, dict):
        yield value
        for entry in value.values():
            yield from nodes(entry)
    if isinstance(value, list):
        for entry in value:
            yield from nodes(entry)
