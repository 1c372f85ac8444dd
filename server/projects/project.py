"""Tenants: organizations, projects, the keys that open them, and counts of what they hold."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from server.memories.add.inference import Category

KEY_PREFIX = "mem_"


@dataclass(frozen=True, slots=True)
class Project:
    """A tenant's separate store of memories, with its defaults for inference.

    `delete_time` is when its deletion began; nobody can use it from then on.
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


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key as it is stored: by its digest. `project_id` is None for a key of an organization."""

    id: str
    org_id: str
    project_id: str | None
    label: str
    create_time: datetime
    revoke_time: datetime | None = None


@dataclass(frozen=True, slots=True)
class Principal:
    """Whom a key stands for: a project, or an organization if `project_id` is None."""

    key_id: str
    org_id: str
    project_id: str | None


@dataclass(frozen=True, slots=True)
class Caller:
    """Whose data a call may touch: exactly one project."""

    key_id: str
    org_id: str
    project_id: str


def new_key() -> str:
    """Returns a new key with 256 random bits."""
    return KEY_PREFIX + secrets.token_urlsafe(32)


def key_digest(key: str) -> bytes:
    """Returns the digest under which a key is stored.

    A plain SHA-256 is enough: the key is random, so there is nothing to guess or to stretch.
    """
    return hashlib.sha256(key.encode()).digest()


def key_id(key: str) -> str:
    """Returns the short id by which a key is listed and revoked; it does not reveal the key."""
    return key_digest(key).hex()[:12]


@dataclass(frozen=True, slots=True)
class Holdings:
    """Counts of what a project holds: visible memories, messages and scopes with memories."""

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
    """Counts of what the graph holds for a project."""

    entities: int = 0
    relations: int = 0
