"""What each call takes beside its main argument. Every option may be left out.

The comments of `memoir/v1/*.proto` say in full what an option means.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import TypedDict

Json = Mapping[str, object]


class CallOptions(TypedDict, total=False):
    """Of every call: its project, where the key opens several, and its time in seconds."""

    org_id: str
    project_id: str
    timeout: float


class WriteOptions(CallOptions, total=False):
    """Of every write: `request_id` makes repeating it safe. Default: a new one."""

    request_id: str


class Scope(TypedDict, total=False):
    """Whose memories: those that match every part that is named."""

    user_id: str
    agent_id: str
    app_id: str
    run_id: str


class AddOptions(Scope, WriteOptions, total=False):
    """Of adding. Default: facts are inferred, with the recent messages of the scope as context."""

    metadata: Json
    includes: str
    excludes: str
    infer: bool
    custom_categories: Sequence[Mapping[str, str]]
    custom_instructions: str
    immutable: bool
    timestamp: datetime | int
    expiration_date: date | str
    version: str


class ReadOptions(CallOptions, total=False):
    """Of reads of memories: as they were at an instant, and with those that have expired."""

    as_of: datetime
    show_expired: bool


class ListOptions(Scope, ReadOptions, total=False):
    """Of listing memories, `page_size` at a time; the order is `create_time desc` or `asc`."""

    filters: Json
    order_by: str
    page_size: int


class SearchOptions(Scope, ReadOptions, total=False):
    """Of searching. `explain` tells what each arm thought of a hit.

    `sources` are some of `memoir.Source`. Default: memories and passages. `reference_time` is when
    the question is asked, which "last May" in it is relative to. Default: `as_of`, or else now.
    `latest_only` returns of several values of a subject, such as two homes, the newest alone.
    """

    filters: Json
    top_k: int
    threshold: float
    categories: Sequence[str]
    rerank: bool
    include_relations: bool
    explain: bool
    consistency_token: str
    sources: Sequence[str]
    page_token: str
    reference_time: datetime
    latest_only: bool


class UpdateOptions(WriteOptions, total=False):
    """The new values of an update. None clears a field; a field that is left out stays."""

    text: str
    metadata: Json | None
    categories: Sequence[str] | None
    expiration_date: date | str | None
    etag: str


class EraseOptions(WriteOptions, total=False):
    """Of deletions. `erase` leaves nothing of the text in the history and its messages either."""

    erase: bool


class DeleteOptions(EraseOptions, total=False):
    """Of deleting one memory: only if it still has this etag."""

    etag: str


class RestoreOptions(WriteOptions, total=False):
    """Of restoring a memory: only if it still has this etag."""

    etag: str


class DeleteManyOptions(Scope, EraseOptions, total=False):
    """Which memories to delete: at least one part of a scope, or a filter.

    A filter without a part of a scope needs `across_scopes`. With `validate_only` nothing is
    deleted, and the receipt says what would be.
    """

    filters: Json
    across_scopes: bool
    validate_only: bool


class PageOptions(CallOptions, total=False):
    """Of lists without further options: how many are fetched at a time."""

    page_size: int


class WatchOptions(Scope, CallOptions, total=False):
    """Of watching: the cursor of the last event that was handled. Default: from now on."""

    cursor: str


class GraphOptions(Scope, CallOptions, total=False):
    """Of reads of the graph: `consistency_token` of an earlier write makes that write visible."""

    consistency_token: str


class RelationOptions(GraphOptions, total=False):
    """Which relations to list."""

    entity: str
    relation: str
    as_of: datetime
    include_superseded: bool
    page_size: int


class EntityOptions(GraphOptions, total=False):
    """How far around an entity to look: 1 to 3 relations."""

    depth: int
    as_of: datetime
    include_superseded: bool


class EntitiesOptions(GraphOptions, total=False):
    """Which entities to list: all, or those whose name begins like `query`."""

    query: str
    page_size: int


class PathOptions(GraphOptions, total=False):
    """How long a path may be, and how many to return."""

    max_length: int
    limit: int


class ProjectOptions(CallOptions, total=False):
    """The new settings of a project; what is left out stays."""

    custom_instructions: str
    custom_categories: Sequence[Mapping[str, str]]
    default_retention_days: int
    keeps_passages: bool
    etag: str


class OperationsOptions(TypedDict, total=False):
    """Of listing asynchronous adds: a `filter` such as `state = FAILED`."""

    filter: str
    page_size: int
    timeout: float
