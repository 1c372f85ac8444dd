"""The options of each call. Every option may be left out.

The comments in `memoir/v1/*.proto` document the options in full.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import TypedDict

Json = Mapping[str, object]


class CallOptions(TypedDict, total=False):
    """Options of every call: its project, if the key has several, and its timeout in seconds."""

    org_id: str
    project_id: str
    timeout: float


class WriteOptions(CallOptions, total=False):
    """Options of every write: `request_id` makes repeating it safe. Default: a new id."""

    request_id: str


class Scope(TypedDict, total=False):
    """A scope: memories match if they match every given part."""

    user_id: str
    agent_id: str
    app_id: str
    run_id: str


class AddOptions(Scope, WriteOptions, total=False):
    """Options of adds. By default facts are inferred, with recent messages as context."""

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
    """Options of reads of memories: as of an instant, and whether to include expired ones."""

    as_of: datetime
    show_expired: bool


class ListOptions(Scope, ReadOptions, total=False):
    """Options of lists of memories; the order is `create_time desc` or `create_time asc`."""

    filters: Json
    order_by: str
    page_size: int


class SearchOptions(Scope, ReadOptions, total=False):
    """Options of searches. `explain` returns each arm's score of each hit.

    `sources` are values of `memoir.Source`. Default: memories and passages. `reference_time` is
    when the question is asked, to resolve times such as "last May". Default: `as_of`, else now.
    `latest_only` leaves out memories that newer ones contradict, such as an earlier home.
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
    """Options of deletions. `erase` also removes the text from history and messages."""

    erase: bool


class DeleteOptions(EraseOptions, total=False):
    """Options of deleting one memory. With an `etag`, only if the memory still has that etag."""

    etag: str


class RestoreOptions(WriteOptions, total=False):
    """Options of restoring a memory. With an `etag`, only if the memory still has that etag."""

    etag: str


class DeleteManyOptions(Scope, EraseOptions, total=False):
    """The memories to delete: at least one part of a scope, or a filter.

    A filter without a part of a scope needs `across_scopes`. With `validate_only` nothing is
    deleted, and the receipt counts what would be deleted.
    """

    filters: Json
    across_scopes: bool
    validate_only: bool


class PageOptions(CallOptions, total=False):
    """Options of other lists: how many items are fetched at a time."""

    page_size: int


class WatchOptions(Scope, CallOptions, total=False):
    """Options of watching: the cursor of the last handled event. Default: from now on."""

    cursor: str


class GraphOptions(Scope, CallOptions, total=False):
    """Options of reads of the graph. With a `consistency_token` they reflect that write."""

    consistency_token: str


class RelationOptions(GraphOptions, total=False):
    """The relations to list."""

    entity: str
    relation: str
    as_of: datetime
    include_superseded: bool
    page_size: int


class EntityOptions(GraphOptions, total=False):
    """The depth of the neighborhood: 1 to 3 relations."""

    depth: int
    as_of: datetime
    include_superseded: bool


class EntitiesOptions(GraphOptions, total=False):
    """The entities to list: all, or those with a name that matches each word of `query`."""

    query: str
    page_size: int


class PathOptions(GraphOptions, total=False):
    """The maximum length and number of paths."""

    max_length: int
    limit: int


class ProjectOptions(CallOptions, total=False):
    """The new settings of a project; settings that are left out stay."""

    custom_instructions: str
    custom_categories: Sequence[Mapping[str, str]]
    default_retention_days: int
    keeps_passages: bool
    etag: str


class OperationsOptions(TypedDict, total=False):
    """Options of listing asynchronous adds: a `filter` such as `state = FAILED`."""

    filter: str
    page_size: int
    timeout: float
