"""The table of Mem0's paths, and the calls of the contract for each of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from starlette.routing import Route

from server.api.http.door import Door, OneCall, SeveralCalls, refusing
from server.api.http.mem0 import account, changing, listing, memories

_PROJECTS: Final = "/api/v1/orgs/organizations/{org_id}/projects/"
_PROJECT: Final = _PROJECTS + "{project_id}/"
_NOT_OFFERED: Final[Mapping[str, Sequence[str]]] = {
    "/v1/summary/": ["POST"],
    "/v2/profiles/{rest:path}": ["GET", "POST"],
    "/v2/entities/{type}/{name}/profile/": ["GET"],
    "/api/v1/webhooks/{rest:path}": ["GET", "POST", "PUT", "DELETE"],
    _PROJECTS: ["POST"],
    _PROJECT: ["DELETE"],
    _PROJECT + "members/": ["GET", "POST", "PUT", "DELETE"],
}
_NOT_OFFERED_DETAIL: Final = "Memoir does not offer this part of Mem0's platform"


@dataclass(frozen=True, slots=True)
class Mem0Path:
    """A path of Mem0, and how its requests are answered."""

    method: str
    path: str
    summary: str
    answer: OneCall | SeveralCalls


# The most frequent paths come first, because they are tried in this order.
TABLE: Final[Sequence[Mem0Path]] = (
    Mem0Path("POST", "/v3/memories/add/", "Add memories (2.x clients)", memories.ADD_V3),
    Mem0Path("POST", "/v3/memories/search/", "Search memories (2.x clients)", memories.SEARCH_V3),
    Mem0Path("POST", "/v1/memories/", "Add memories (1.x clients)", memories.ADD_V1),
    Mem0Path("POST", "/v2/memories/search/", "Search memories (1.x clients)", memories.SEARCH),
    Mem0Path("POST", "/v1/memories/search/", "Search memories (0.x clients)", memories.SEARCH),
    Mem0Path("POST", "/v3/memories/", "List memories (2.x clients)", listing.MEMORIES_V3),
    Mem0Path("POST", "/v2/memories/", "List memories (1.x clients)", listing.MEMORIES_V2),
    Mem0Path("GET", "/v1/memories/", "List memories (0.x clients)", listing.MEMORIES_V1),
    Mem0Path("DELETE", "/v1/memories/", "Delete the memories of a scope", changing.DELETE_MANY),
    Mem0Path("GET", "/v1/memories/{id}/", "Read one memory", changing.GET),
    Mem0Path("PUT", "/v1/memories/{id}/", "Change one memory", changing.UPDATE),
    Mem0Path("DELETE", "/v1/memories/{id}/", "Delete one memory", changing.DELETE),
    Mem0Path(
        "GET", "/v1/memories/{id}/history/", "Read the history of one memory", changing.HISTORY
    ),
    Mem0Path("PUT", "/v1/batch/", "Change up to 1,000 memories", changing.UPDATE_BATCH),
    Mem0Path("DELETE", "/v1/batch/", "Delete up to 1,000 memories", changing.DELETE_BATCH),
    Mem0Path("GET", "/v1/event/{id}/", "Read the state of an asynchronous add", account.EVENT),
    Mem0Path("GET", "/v1/entities/", "List users, agents, apps and runs", listing.ENTITIES),
    Mem0Path(
        "DELETE",
        "/v2/entities/{type}/{name}/",
        "Erase a user, agent, app or run",
        changing.DELETE_SCOPE,
    ),
    Mem0Path(
        "DELETE",
        "/v1/entities/{type}/{name}/",
        "Erase a user, agent, app or run",
        changing.DELETE_SCOPE,
    ),
    Mem0Path("POST", "/v1/feedback/", "Store feedback on a memory", account.FEEDBACK),
    Mem0Path("POST", "/v1/exports/", "Prepare an export", listing.CREATE_EXPORT),
    Mem0Path("POST", "/v1/exports/get/", "Fetch an export", listing.GET_EXPORT),
    Mem0Path("GET", "/v1/ping/", "Read the project of the key", account.PING),
    Mem0Path("GET", _PROJECT, "Read the project's settings", account.GET_PROJECT),
    Mem0Path("PATCH", _PROJECT, "Change the project's settings", account.UPDATE_PROJECT),
)


def mem0_routes(door: Door) -> list[Route]:
    """Returns the routes of the table, and routes that refuse the paths that are not offered."""
    offered = [
        Route(each.path, door.endpoint(each.answer), methods=[each.method]) for each in TABLE
    ]
    return offered + [
        Route(path, refusing(501, _NOT_OFFERED_DETAIL), methods=list(methods))
        for path, methods in _NOT_OFFERED.items()
    ]
