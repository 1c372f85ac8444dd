"""Tenants: organizations, projects and their keys, and counts of their content."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from server.core.errors import NotFound
from server.core.values import JsonObject
from server.memories.add.inference import Category
from server.memories.scope import Scope

KEY_PREFIX = "mem_"


class ProjectUnknown(NotFound):
    """There is no such project."""

    def __init__(self, project_id: str) -> None:
        super().__init__(
            f"there is no project {project_id!r}; python -m server projects list shows all"
        )


@dataclass(frozen=True, slots=True)
class Project:
    """A tenant's separate store of memories, with its defaults for inference.

    `delete_time` is when its deletion began; it cannot be used from then on.
    """

    id: str
    org_id: str
    create_time: datetime
    update_time: datetime
    custom_instructions: str = ""
    custom_categories: Sequence[Category] = ()
    default_retention_days: int = 0
    keeps_passages: bool = True
    delete_time: datetime | None = None

    @property
    def etag(self) -> str:
        """Changes whenever the settings do."""
        state = f"{self.id}:{self.update_time.astimezone(UTC).isoformat()}"
        return hashlib.sha256(state.encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Quotas:
    """How much a project may hold and do; 0 means no limit.

    `memories` includes expired ones. `bytes` counts the UTF-8 bytes of the texts of memories and
    messages. `calls` counts concurrent calls without streams. Calls and streams are counted for
    each serving process.
    """

    memories: int = 0
    bytes: int = 0
    calls_per_second: int = 0
    calls: int = 0
    streams: int = 0


@dataclass(frozen=True, slots=True)
class StorageUse:
    """A project's quotas and counts of its content; counts without a quota are 0."""

    quotas: Quotas = Quotas()
    memories: int = 0
    bytes: int = 0


class ProjectField(StrEnum):
    """The settings of a project that can be changed, as the contract names them."""

    CUSTOM_INSTRUCTIONS = "custom_instructions"
    CUSTOM_CATEGORIES = "custom_categories"
    DEFAULT_RETENTION_DAYS = "default_retention_days"
    KEEPS_PASSAGES = "keeps_passages"


@dataclass(frozen=True, slots=True)
class ProjectChanges:
    """New values of the settings that `fields` names; other values are ignored."""

    fields: frozenset[ProjectField]
    custom_instructions: str = ""
    custom_categories: Sequence[Category] = ()
    default_retention_days: int = 0
    keeps_passages: bool = True

    def applied_to(self, project: Project) -> Project:
        """Returns the project with the named settings changed."""
        named: dict[str, Any] = {field.value: getattr(self, field.value) for field in self.fields}
        return replace(project, **named)


class KeyRole(StrEnum):
    """The role of a key. Each role includes the previous ones.

    READ may read. WRITE may also change memories. ADMIN may also change the project's settings,
    delete across users, and read the audit log.
    """

    READ = "read"
    WRITE = "write"
    ADMIN = "admin"

    def permits(self, needed: KeyRole) -> bool:
        """Whether a key with this role may do what requires the role `needed`."""
        return _RANKS[self] >= _RANKS[needed]


_RANKS = {role: rank for rank, role in enumerate(KeyRole)}


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key as it is stored: by its digest. `project_id` is None for a key of an organization.

    `scope` is the part of the project that the key is confined to; None means all of it. The key is
    valid until `expire_time`; None means forever. `last_use_time` is up to 15 seconds
    late.
    """

    id: str
    org_id: str
    project_id: str | None
    label: str
    create_time: datetime
    revoke_time: datetime | None = None
    role: KeyRole = KeyRole.ADMIN
    scope: Scope | None = None
    expire_time: datetime | None = None
    last_use_time: datetime | None = None

    def is_active(self, now: datetime) -> bool:
        """Whether the key is valid at this time."""
        return self.revoke_time is None and (self.expire_time is None or now < self.expire_time)


@dataclass(frozen=True, slots=True)
class Principal:
    """The owner of a key: a project, or an organization if `project_id` is None.

    `scope` is the part of the project that the key is confined to; None means all of it.
    """

    key_id: str
    org_id: str
    project_id: str | None
    role: KeyRole = KeyRole.ADMIN
    scope: Scope | None = None


@dataclass(frozen=True, slots=True)
class Caller:
    """The data that a call may access: one project, or one scope in it if `scope` is not None."""

    key_id: str
    org_id: str
    project_id: str
    scope: Scope | None = None


def new_key() -> str:
    """Returns a new key with 256 random bits."""
    return KEY_PREFIX + secrets.token_urlsafe(32)


def key_digest(key: str) -> bytes:
    """Returns the digest under which a key is stored.

    A plain SHA-256 is enough, because random keys cannot be guessed.
    """
    return hashlib.sha256(key.encode()).digest()


def key_id(key: str) -> str:
    """Returns the short id by which a key is listed and revoked; it does not reveal the key."""
    return key_digest(key).hex()[:12]


@dataclass(frozen=True, slots=True)
class ContentCounts:
    """Counts of a project's visible memories, messages and scopes with memories."""

    memories: int = 0
    messages: int = 0
    scopes: int = 0


@dataclass(frozen=True, slots=True)
class ChangeCounts:
    """Counts of memories that all servers changed in a span of time."""

    added: int = 0
    updated: int = 0
    deleted: int = 0
    restored: int = 0


@dataclass(frozen=True, slots=True)
class GraphCounts:
    """Counts of a project's entities and relations in the graph."""

    entities: int = 0
    relations: int = 0


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """Who did what, from where, and what changed.

    `key_id` and `peer` are the API key and the client's address. On the command line there is no
    key, and `peer` is `cli:USER@HOST`; both are None for the service's own work. `project_id` is
    None for acts on an organization. `target` has the ids of what was acted on, `before` and
    `after` have settings, versions and counts, never the text of a memory. `position` orders all
    events.
    """

    id: UUID
    position: int
    time: datetime
    project_id: str | None
    org_id: str
    action: str
    key_id: str | None
    peer: str | None
    correlation_id: str
    target: JsonObject
    before: JsonObject
    after: JsonObject
