"""The ports in memory, for unit tests; the store is in fake_store."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from math import sqrt

from server.core.clock import Clock
from server.core.values import Vector
from server.memories.add.inference import InferenceAnswer, InferenceRequest, ProposedOperation
from server.models.ports import EmbeddingPurpose
from server.projects.archive.format import ArchiveHeader, RowKind
from server.projects.ports import ProjectSnapshot, RequestTrace
from server.projects.project import (
    ApiKey,
    AuditEvent,
    ChangeCounts,
    ContentCounts,
    Principal,
    Project,
    Quotas,
    StorageUse,
)
from tests.support.builders import EMBEDDER, NOW

LANGUAGE_MODEL = "test/model"
PROMPT_VERSION = "test-1"


@dataclass
class FakeClock(Clock):
    """A clock that shows the time that was set last."""

    time: datetime = NOW

    def now(self) -> datetime:
        return self.time


@dataclass
class FakeEmbedder:
    """Embeds equal texts equally; `batches` holds all batches that were not empty."""

    model: str = EMBEDDER
    dimensions: int = 8
    near_duplicate_similarity: float = 0.0
    dense_weight: float = 1.0
    compares_sentences: bool = False
    batches: list[tuple[list[str], EmbeddingPurpose]] = field(default_factory=list)
    related: dict[str, str] = field(default_factory=dict)

    def meanings(self, question: str) -> Sequence[str]:
        return [f"{word} {self.related[word]}" for word in question.split() if word in self.related]

    async def embed(self, texts: Sequence[str], purpose: EmbeddingPurpose) -> list[Vector]:
        if texts:
            self.batches.append((list(texts), purpose))
        return [self.vector_of(text) for text in texts]

    def vector_of(self, text: str) -> Vector:
        digest = hashlib.sha256(text.encode()).digest()[: self.dimensions]
        norm = sqrt(sum(byte * byte for byte in digest))
        return array("f", [byte / norm for byte in digest])


async def _at_once() -> None:
    """Returns at once."""


@dataclass
class FakeLanguageModel:
    """Answers with the items of its script in turn, or raises them; awaits `thinking` first."""

    script: list[Sequence[ProposedOperation] | Exception] = field(default_factory=list)
    thinking: Callable[[], Awaitable[None]] = _at_once
    model: str = LANGUAGE_MODEL
    requests: list[InferenceRequest] = field(default_factory=list)

    async def infer(self, request: InferenceRequest) -> InferenceAnswer:
        self.requests.append(request)
        await self.thinking()
        answer = self.script.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return InferenceAnswer(answer, self.model, PROMPT_VERSION)


@dataclass
class FakeReranker:
    """Scores a text by `scores`, by default 0; raises `fault`, if set."""

    scores: dict[str, float] = field(default_factory=dict)
    fault: Exception | None = None
    thinking: Callable[[], Awaitable[None]] = _at_once
    model: str = LANGUAGE_MODEL
    questions: list[tuple[str, list[str]]] = field(default_factory=list)

    async def rerank(self, question: str, texts: Sequence[str]) -> list[float]:
        self.questions.append((question, list(texts)))
        await self.thinking()
        if self.fault:
            raise self.fault
        return [self.scores.get(text, 0.0) for text in texts]


@dataclass
class FakeProjectStore:
    """Projects and keys; `lookups` counts lookups by digest or id.

    It passes tests/contract/test_project_store.py, except for tests that need memories.
    """

    projects: dict[str, Project] = field(default_factory=dict)
    keys: dict[bytes, ApiKey] = field(default_factory=dict)
    storage: dict[str, StorageUse] = field(default_factory=dict)
    lookups: int = 0
    now: Callable[[], datetime] = lambda: NOW

    async def find_principal(self, key_digest: bytes) -> Principal | None:
        self.lookups += 1
        key = self.keys.get(key_digest)
        if key is None or not key.is_active(self.now()):
            return None
        return Principal(key.id, key.org_id, key.project_id, key.role, key.scope)

    async def get_project(self, project_id: str) -> Project | None:
        self.lookups += 1
        project = self.projects.get(project_id)
        return project if project and project.delete_time is None else None

    async def create_project(self, project: Project) -> bool:
        return self.projects.setdefault(project.id, project) is project

    async def update_project(self, project: Project, seen: datetime) -> bool:
        if self.projects[project.id].update_time != seen:
            return False
        self.projects[project.id] = project
        return True

    async def list_projects(self) -> list[Project]:
        return sorted(self.projects.values(), key=lambda project: (project.org_id, project.id))

    async def set_quotas(self, project_id: str, quotas: Quotas) -> bool:
        if project_id not in self.projects:
            return False
        self.storage[project_id] = replace(
            self.storage.get(project_id, StorageUse()), quotas=quotas
        )
        return True

    async def storage_use(self, project_id: str) -> StorageUse:
        self.lookups += 1
        return self.storage.get(project_id, StorageUse())

    async def create_key(self, key: ApiKey, digest: bytes) -> None:
        self.keys[digest] = key

    async def rotate_key(
        self, key_id: str, end: datetime, successor: ApiKey, digest: bytes
    ) -> bool:
        for known, key in self.keys.items():
            if key.id == key_id and key.revoke_time is None:
                self.keys[known] = replace(key, expire_time=min(key.expire_time or end, end))
                self.keys[digest] = successor
                return True
        return False

    async def record_uses(self, uses: Mapping[str, datetime]) -> None:
        for digest, key in self.keys.items():
            if key.id in uses:
                last = max(uses[key.id], key.last_use_time or uses[key.id])
                self.keys[digest] = replace(key, last_use_time=last)

    async def list_keys(self) -> list[ApiKey]:
        return list(self.keys.values())

    async def revoke_key(self, key_id: str, now: datetime) -> bool:
        for digest, key in self.keys.items():
            if key.id == key_id and key.revoke_time is None:
                self.keys[digest] = replace(key, revoke_time=now)
                return True
        return False

    async def count_content(self, project_id: str, visible_on: date) -> ContentCounts:
        return ContentCounts()

    async def count_changes(
        self, project_id: str, since: datetime, later_since: datetime
    ) -> tuple[ChangeCounts, ChangeCounts]:
        return ChangeCounts(), ChangeCounts()

    async def begin_deletion(self, project_id: str, now: datetime) -> bool:
        if project_id not in self.projects:
            return False
        self.projects[project_id] = replace(self.projects[project_id], delete_time=now)
        self.keys = {d: key for d, key in self.keys.items() if key.project_id != project_id}
        return True

    async def count_rows(self, project_id: str) -> int:
        return 0

    async def delete_rows(self, project_id: str, limit: int) -> Mapping[str, int]:
        return {}

    async def finish_deletion(self, project_id: str) -> None:
        self.projects.pop(project_id, None)

    async def trace(self, correlation_id: str, project_id: str | None = None) -> RequestTrace:
        return RequestTrace([], [], [])

    async def latest_audit_events(
        self, project_id: str | None, before: int, limit: int
    ) -> list[AuditEvent]:
        return []

    async def audit_events(
        self, project_id: str | None, since: datetime, after: int, limit: int
    ) -> list[AuditEvent]:
        return []

    @asynccontextmanager
    async def snapshot(
        self, project_id: str, *, embeddings: bool
    ) -> AsyncIterator[ProjectSnapshot]:
        async def no_rows(_kind: RowKind) -> AsyncIterator[list[str]]:
            yield []

        yield ProjectSnapshot(0, None, {}, no_rows)

    async def begin_import(self, project_id: str, header: ArchiveHeader) -> None:
        """Accepts every archive."""

    async def write_rows(self, project_id: str, kind: RowKind, rows: Sequence[str]) -> int:
        return 0

    async def missing_rows(
        self, project_id: str, rows: Sequence[str], kind: RowKind = RowKind.MEMORY
    ) -> list[str]:
        return []

    async def write_embedded(
        self,
        project_id: str,
        rows: Sequence[str],
        embeddings: Sequence[Vector],
        kind: RowKind = RowKind.MEMORY,
    ) -> int:
        return 0
