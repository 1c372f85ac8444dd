"""The table of Mem0's paths, and the calls of the contract for each of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from starlette.routing import Route

from server.api.http.door import Door, Endpoint, ReadRequest, Respond, WriteResponse, refusing
from server.api.http.faults import Rename
from server.api.http.mem0 import account, changing, listing, memories

_NOT_OFFERED: Final = (
    ("POST", "/v1/summary/"),
    ("GET", "/v2/profiles/{rest:path}"),
    ("POST", "/v2/profiles/{rest:path}"),
    ("GET", "/v2/entities/{type}/{name}/profile/"),
    ("GET", "/api/v1/webhooks/{rest:path}"),
    ("POST", "/api/v1/webhooks/{rest:path}"),
    ("PUT", "/api/v1/webhooks/{rest:path}"),
    ("DELETE", "/api/v1/webhooks/{rest:path}"),
    ("POST", "/api/v1/orgs/organizations/{org_id}/projects/"),
    ("DELETE", "/api/v1/orgs/organizations/{org_id}/projects/{project_id}/"),
    ("GET", "/api/v1/orgs/organizations/{org_id}/projects/{project_id}/members/"),
    ("POST", "/api/v1/orgs/organizations/{org_id}/projects/{project_id}/members/"),
    ("PUT", "/api/v1/orgs/organizations/{org_id}/projects/{project_id}/members/"),
    ("DELETE", "/api/v1/orgs/organizations/{org_id}/projects/{project_id}/members/"),
)
_NOT_OFFERED_DETAIL: Final = "Memoir does not offer this part of Mem0's platform"


@dataclass(frozen=True, slots=True)
class OneCall:
    """A path for one call of the contract."""

    method: str
    path: str
    summary: str
    call: str
    read: ReadRequest
    write: WriteResponse
    rename: Rename | None = None


@dataclass(frozen=True, slots=True)
class SeveralCalls:
    """A path for several calls."""

    method: str
    path: str
    summary: str
    respond: Respond
    rename: Rename | None = None


_PROJECT: Final = "/api/v1/orgs/organizations/{org_id}/projects/{project_id}/"

# The most frequent paths come first, because they are tried in this order.
TABLE: Final[Sequence[OneCall | SeveralCalls]] = (
    OneCall(
        "POST",
        "/v3/memories/add/",
        "Add memories (2.x clients)",
        memories.ADD,
        memories.read_add_v3,
        memories.write_add_v3,
    ),
    OneCall(
        "POST",
        "/v3/memories/search/",
        "Search memories (2.x clients)",
        memories.SEARCH,
        memories.read_search_v3,
        memories.write_hits,
    ),
    OneCall(
        "POST",
        "/v1/memories/",
        "Add memories (1.x clients)",
        memories.ADD,
        memories.read_add_v1,
        memories.write_add_v1,
    ),
    OneCall(
        "POST",
        "/v2/memories/search/",
        "Search memories (1.x clients)",
        memories.SEARCH,
        memories.read_search,
        memories.write_hit_list,
    ),
    OneCall(
        "POST",
        "/v1/memories/search/",
        "Search memories (0.x clients)",
        memories.SEARCH,
        memories.read_search,
        memories.write_hit_list,
    ),
    SeveralCalls("POST", "/v3/memories/", "List memories (2.x clients)", listing.memories_v3),
    SeveralCalls("POST", "/v2/memories/", "List memories (1.x clients)", listing.memories_v2),
    SeveralCalls("GET", "/v1/memories/", "List memories (0.x clients)", listing.memories_v1),
    OneCall(
        "DELETE",
        "/v1/memories/",
        "Delete the memories of a scope",
        changing.DELETE_MANY,
        changing.read_delete_many,
        changing.write_deleted_many,
    ),
    OneCall(
        "GET",
        "/v1/memories/{id}/",
        "Read one memory",
        changing.GET,
        changing.read_get,
        changing.write_memory,
    ),
    OneCall(
        "PUT",
        "/v1/memories/{id}/",
        "Change one memory",
        changing.UPDATE,
        changing.read_update,
        changing.write_memory,
        changing.update_field,
    ),
    OneCall(
        "DELETE",
        "/v1/memories/{id}/",
        "Delete one memory",
        changing.DELETE,
        changing.read_delete,
        changing.write_deleted,
    ),
    SeveralCalls(
        "GET", "/v1/memories/{id}/history/", "Read the history of one memory", changing.history
    ),
    SeveralCalls(
        "PUT",
        "/v1/batch/",
        "Change up to 1,000 memories",
        changing.update_batch,
        changing.batch_field,
    ),
    SeveralCalls(
        "DELETE",
        "/v1/batch/",
        "Delete up to 1,000 memories",
        changing.delete_batch,
        changing.batch_field,
    ),
    SeveralCalls("GET", "/v1/event/{id}/", "Read the state of an asynchronous add", account.event),
    SeveralCalls("GET", "/v1/entities/", "List users, agents, apps and runs", listing.entities),
    OneCall(
        "DELETE",
        "/v2/entities/{type}/{name}/",
        "Erase a user, agent, app or run",
        changing.DELETE_SCOPE,
        changing.read_delete_entity,
        changing.write_deleted_entity,
    ),
    OneCall(
        "DELETE",
        "/v1/entities/{type}/{name}/",
        "Erase a user, agent, app or run",
        changing.DELETE_SCOPE,
        changing.read_delete_entity,
        changing.write_deleted_entity,
    ),
    SeveralCalls(
        "POST",
        "/v1/feedback/",
        "Store feedback on a memory",
        account.feedback,
        account.feedback_field,
    ),
    SeveralCalls("POST", "/v1/exports/", "Prepare an export", listing.create_export),
    SeveralCalls("POST", "/v1/exports/get/", "Fetch an export", listing.get_export),
    OneCall(
        "GET",
        "/v1/ping/",
        "Read the project of the key",
        account.GET_PROJECT,
        account.read_ping,
        account.write_ping,
    ),
    OneCall(
        "GET",
        _PROJECT,
        "Read the project's settings",
        account.GET_PROJECT,
        account.read_project,
        account.write_project,
    ),
    OneCall(
        "PATCH",
        _PROJECT,
        "Change the project's settings",
        account.UPDATE_PROJECT,
        account.read_project_update,
        account.write_project,
        account.project_field,
    ),
)


def mem0_routes(door: Door) -> list[Route]:
    """Returns the routes of the table, and routes that refuse the paths that are not offered."""
    offered = [Route(each.path, _endpoint(door, each), methods=[each.method]) for each in TABLE]
    return offered + [
        Route(path, refusing(501, _NOT_OFFERED_DETAIL), methods=[method])
        for method, path in _NOT_OFFERED
    ]


def _endpoint(door: Door, row: OneCall | SeveralCalls) -> Endpoint:
    if isinstance(row, OneCall):
        return door.one_call(row.call, row.read, row.write, row.rename)
    return door.several_calls(row.respond, row.rename)
