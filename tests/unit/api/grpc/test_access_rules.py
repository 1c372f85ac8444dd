"""Which key may call which method."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf.message_factory import GetMessageClass
from memoir.v1 import memory_service_pb2 as pb

from server.api.grpc.access_rules import ACCESS, Reach, access_to
from server.api.grpc.local import CONTRACT_METHODS
from server.core.errors import RoleRequired, ScopeForbidden
from server.memories.scope import SCOPE_FIELDS, Scope
from server.projects.project import KeyRole, Principal

MEMORY = "memoir.v1.MemoryService/"


def key(role: KeyRole = KeyRole.ADMIN, scope: Scope | None = None) -> Principal:
    return Principal("k", "o", "p", role, scope)


def test_exactly_the_methods_of_the_contract_have_a_required_role() -> None:
    assert set(ACCESS) == set(CONTRACT_METHODS)


@pytest.mark.parametrize("name", sorted(CONTRACT_METHODS))
def test_exactly_the_requests_with_a_scope_have_its_fields(name: str) -> None:
    fields = GetMessageClass(CONTRACT_METHODS[name].input_type).DESCRIPTOR.fields_by_name
    has_scope = set(SCOPE_FIELDS) <= set(fields)
    assert has_scope == (ACCESS[name].reach is Reach.SCOPE)


@pytest.mark.parametrize("role", KeyRole)
@pytest.mark.parametrize("name", sorted(ACCESS))
def test_a_role_includes_the_lower_roles(name: str, role: KeyRole) -> None:
    needed = ACCESS[name].role
    if list(KeyRole).index(role) >= list(KeyRole).index(needed):
        ACCESS[name].require(key(role))
        return
    with pytest.raises(RoleRequired) as raised:
        ACCESS[name].require(key(role))
    assert raised.value.metadata == {"role": needed}


def test_only_admin_changes_the_project_and_deletes_across_users() -> None:
    admin = {name for name, access in ACCESS.items() if access.role is KeyRole.ADMIN}
    assert admin == {
        MEMORY + "DeleteScope",
        "memoir.v1.ProjectService/UpdateProject",
        "memoir.v1.AuditService/ListAuditEvents",
    }
    access = ACCESS[MEMORY + "DeleteMemories"]
    everyone, alice = pb.DeleteMemoriesRequest(agent_id="a"), pb.DeleteMemoriesRequest(user_id="u")
    access.confine(key(KeyRole.ADMIN), everyone)
    access.confine(key(KeyRole.WRITE), alice)
    with pytest.raises(RoleRequired):
        access.confine(key(KeyRole.WRITE), everyone)


def test_an_unlisted_method_needs_admin() -> None:
    access = access_to("memoir.v1.MemoryService/Unheard")
    access.require(key())
    with pytest.raises(RoleRequired):
        access.require(key(KeyRole.WRITE))
    with pytest.raises(ScopeForbidden):
        access.require(key(scope=Scope("alice")))


CONFINED = key(KeyRole.WRITE, Scope(user_id="alice", run_id="r1"))


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (pb.SearchMemoriesRequest(), Scope("alice", run_id="r1")),
        (pb.SearchMemoriesRequest(user_id="alice"), Scope("alice", run_id="r1")),
        (pb.SearchMemoriesRequest(agent_id="a"), Scope("alice", "a", run_id="r1")),
    ],
)
def test_the_scope_of_a_confined_key_is_filled_in(request_: Any, expected: Scope) -> None:
    ACCESS[MEMORY + "SearchMemories"].confine(CONFINED, request_)
    assert Scope(**{f: getattr(request_, f) or None for f in SCOPE_FIELDS}) == expected


@pytest.mark.parametrize("field", ["user_id", "run_id"])
def test_another_scope_is_refused_by_its_field(field: str) -> None:
    request = pb.SearchMemoriesRequest()
    setattr(request, field, "other")
    with pytest.raises(ScopeForbidden) as raised:
        ACCESS[MEMORY + "SearchMemories"].confine(CONFINED, request)
    assert raised.value.metadata == {"field": field}


def test_a_key_that_is_not_confined_changes_no_request() -> None:
    request = pb.SearchMemoriesRequest(agent_id="a")
    ACCESS[MEMORY + "SearchMemories"].confine(key(), request)
    assert request == pb.SearchMemoriesRequest(agent_id="a")


def test_methods_on_the_whole_project_are_refused_for_a_confined_key() -> None:
    for name, access in ACCESS.items():
        admin = key(KeyRole.ADMIN, Scope("alice"))
        if access.reach is Reach.PROJECT:
            with pytest.raises(ScopeForbidden):
                access.require(admin)
        else:
            access.require(admin)
        assert (access.reach is Reach.PROJECT) == (
            name.split("/")[1]
            in {
                "ListScopes",
                "DeleteScope",
                "UpdateProject",
                "GetStatistics",
                "WatchStatistics",
                "ListAuditEvents",
            }
        )
