"""Converting requests to commands, with defaults for absent fields."""

from __future__ import annotations

from datetime import UTC, date, datetime
from uuid import UUID

import pytest
from memoir.v1.graph_service_pb2 import ListRelationsRequest
from memoir.v1.memory_pb2 import CustomCategory, Message
from memoir.v1.memory_service_pb2 import (
    AddMemoriesRequest,
    ListMemoriesRequest,
    SearchMemoriesRequest,
)

from server.api.grpc.convert.requests import add_command, list_command, scope_of, search_command
from server.api.grpc.convert.tokens import consistency_token, page_token
from server.api.grpc.services.graph import relations_command
from server.core.errors import InvalidRequest
from server.graph.explore.explore_graph import ListRelationsCommand
from server.graph.model import RelationCursor
from server.memories import conversation
from server.memories.add.add_memories import AddMemoriesCommand
from server.memories.add.inference import Category
from server.memories.conversation import Role
from server.memories.memory import ListCursor, ListOrder
from server.memories.scope import SCOPE_FIELDS, Scope
from server.memories.search.read_memories import ListMemoriesCommand
from server.memories.search.search_memories import SearchMemoriesCommand
from tests.support.tokens import tokens_of

TOKENS = tokens_of("p")
NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
ALICE = Scope(user_id="alice")
REQUEST_ID = "0193b0c0-0000-7000-8000-000000000001"


def test_a_minimal_add_infers_with_the_defaults() -> None:
    request = AddMemoriesRequest(
        messages=[Message(role="user", content="I like tea")], user_id="alice"
    )
    assert add_command(request, "project-1") == AddMemoriesCommand(
        project_id="project-1",
        scope=ALICE,
        messages=[conversation.Message(Role.USER, "I like tea")],
        metadata={},
        categories=[],
    )
    command = add_command(request, "project-1")
    assert (command.infer, command.immutable, command.with_context) == (True, False, False)
    assert (command.event_time, command.expiration_date, command.request_id) == (None, None, None)
    assert (command.includes, command.excludes, command.instructions) == (None, None, None)


def test_all_fields_of_an_add_are_converted() -> None:
    request = AddMemoriesRequest(
        messages=[
            Message(role="assistant", content="Hello", name="Bot"),
            Message(role="tool"),
            Message(role="system", content=""),
        ],
        user_id="u",
        agent_id="a",
        app_id="p",
        run_id="r",
        org_id="of the key",
        project_id="of the request",
        includes="food",
        excludes="health",
        infer=False,
        output_format="v1.1",
        custom_categories=[CustomCategory(name="garden", description="plants")],
        custom_instructions="Be brief.",
        immutable=True,
        timestamp=1_700_000_000,
        expiration_date="2027-01-31",
        version="v2",
        request_id=REQUEST_ID,
    )
    request.metadata.update({"n": 1})
    command = add_command(request, "project-1")
    assert len(command.payload_digest) == 32
    assert command == AddMemoriesCommand(
        project_id="project-1",
        scope=Scope("u", "a", "p", "r"),
        messages=[
            conversation.Message(Role.ASSISTANT, "Hello", "Bot"),
            conversation.Message(Role.TOOL, None),
            conversation.Message(Role.SYSTEM, ""),
        ],
        metadata={"n": 1},
        infer=False,
        immutable=True,
        event_time=datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC),
        expiration_date=date(2027, 1, 31),
        with_context=True,
        includes="food",
        excludes="health",
        categories=[Category("garden", "plants")],
        instructions="Be brief.",
        request_id=UUID(REQUEST_ID),
        payload_digest=command.payload_digest,
    )


@pytest.mark.parametrize("infer", [True, False])
def test_infer_is_used_as_given(infer: bool) -> None:
    assert add_command(AddMemoriesRequest(infer=infer), "p").infer is infer


def test_the_unix_epoch_is_a_valid_time() -> None:
    command = add_command(AddMemoriesRequest(timestamp=0), "p")
    assert command.event_time == datetime(1970, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(("version", "with_context"), [("v1", False), ("v2", True)])
def test_only_version_2_has_context(version: str, with_context: bool) -> None:
    assert add_command(AddMemoriesRequest(version=version), "p").with_context is with_context


def payload(**changes: object) -> bytes:
    request = AddMemoriesRequest(user_id="alice", request_id=REQUEST_ID)
    request.metadata.update({"a": 1, "b": {"c": [1, 2], "d": None}})
    request.MergeFrom(AddMemoriesRequest(**changes))  # type: ignore[arg-type] # names fit
    return add_command(request, "p").payload_digest


def test_the_order_of_fields_does_not_change_the_payload() -> None:
    request = AddMemoriesRequest(request_id=REQUEST_ID, user_id="alice")
    request.metadata.update({"b": {"d": None, "c": [1, 2]}, "a": 1})
    assert add_command(request, "p").payload_digest == payload()


@pytest.mark.parametrize(
    "changes",
    [
        {"user_id": "bob"},
        {"infer": True},
        {"messages": [Message(role="user", content="x")]},
        {"immutable": True},
        {"timestamp": 0},
    ],
    ids=str,
)
def test_a_change_of_any_field_is_another_payload(changes: dict[str, object]) -> None:
    assert payload(**changes) != payload()


def test_payloads_are_compared_only_with_a_request_id() -> None:
    assert add_command(AddMemoriesRequest(user_id="alice"), "p").payload_digest == b""


@pytest.mark.parametrize("field", SCOPE_FIELDS)
def test_each_scope_field_is_converted_to_its_own(field: str) -> None:
    request = SearchMemoriesRequest(**{field: "x*"})  # type: ignore[arg-type] # names fit
    assert scope_of(request) == Scope(**{field: "x*"})


def test_a_minimal_search_has_the_defaults() -> None:
    request = SearchMemoriesRequest(query="tea", user_id="alice")
    assert search_command(request, TOKENS) == SearchMemoriesCommand(
        project_id="p",
        scope=ALICE,
        query="tea",
        top_k=10,
        threshold=None,
        categories=(),
        show_expired=False,
    )


def test_all_fields_of_a_search_are_converted() -> None:
    request = SearchMemoriesRequest(
        query="t\0ea",
        user_id="alice",
        top_k=3,
        threshold=0.0,
        categories=["food", "health"],
        show_expired=True,
    )
    assert search_command(request, TOKENS) == SearchMemoriesCommand(
        project_id="p",
        scope=ALICE,
        query="tea",
        top_k=3,
        threshold=0.0,
        categories=("food", "health"),
        show_expired=True,
    )


def test_a_minimal_list_has_the_defaults() -> None:
    assert list_command(ListMemoriesRequest(user_id="alice"), TOKENS) == ListMemoriesCommand(
        project_id="p",
        scope=ALICE,
        page_size=50,
        order=ListOrder.NEWEST_FIRST,
        after=None,
        show_expired=False,
    )


def test_all_fields_of_a_list_are_converted() -> None:
    request = ListMemoriesRequest(
        user_id="alice", page_size=7, order_by="create_time asc", show_expired=True
    )
    cursor = ListCursor(NOW, UUID(int=1))
    request.page_token = page_token(TOKENS, request, cursor)
    assert list_command(request, TOKENS) == ListMemoriesCommand(
        project_id="p",
        scope=ALICE,
        page_size=7,
        order=ListOrder.OLDEST_FIRST,
        after=cursor,
        show_expired=True,
    )


def test_a_list_accepts_only_its_own_tokens() -> None:
    with pytest.raises(InvalidRequest):
        list_command(ListMemoriesRequest(user_id="alice", page_token="x"), TOKENS)


def test_a_minimal_list_of_relations_has_the_defaults() -> None:
    assert relations_command(ListRelationsRequest(user_id="alice"), TOKENS) == ListRelationsCommand(
        project_id="p",
        scope=ALICE,
        page_size=50,
        entity=None,
        relation=None,
        after=None,
        position=None,
    )


def test_all_fields_of_a_list_of_relations_are_converted() -> None:
    request = ListRelationsRequest(
        user_id="alice",
        page_size=7,
        entity="Ali\0ce",
        relation="lives_in",
        consistency_token=consistency_token(TOKENS, 0),
    )
    cursor = RelationCursor(NOW, UUID(int=1), "alice", "lives_in", "lisbon")
    request.page_token = page_token(TOKENS, request, cursor)
    assert relations_command(request, TOKENS) == ListRelationsCommand(
        project_id="p",
        scope=ALICE,
        page_size=7,
        entity="Alice",
        relation="lives_in",
        after=cursor,
        position=0,
    )


@pytest.mark.parametrize("field", ["entity", "relation"])
def test_a_condition_that_consists_of_nul_is_not_dropped(field: str) -> None:
    request = ListRelationsRequest(**{field: "\0"})  # type: ignore[arg-type] # names fit
    assert getattr(relations_command(request, TOKENS), field) == ""


@pytest.mark.parametrize("field", ["page_token", "consistency_token"])
def test_lists_of_relations_refuse_foreign_tokens(field: str) -> None:
    request = ListRelationsRequest(user_id="alice", **{field: "x"})  # type: ignore[arg-type] # names fit
    with pytest.raises(InvalidRequest) as raised:
        relations_command(request, TOKENS)
    assert [violation.field for violation in raised.value.violations] == [field]
