"""Projects, keys, counts, traces of requests and the audit log on PostgreSQL."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import date, datetime
from typing import TYPE_CHECKING

from server.memories.memory import EventType
from server.memories.scope import Scope
from server.operations.operation import OperationState
from server.projects.ports import RequestTrace, TracedCall, TracedChange, TracedOperation
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
from server.storage.postgres.archive import PostgresProjectArchives
from server.storage.postgres.record_calls import actor_values
from server.storage.postgres.rows import from_categories, to_api_key, to_principal, to_project
from server.storage.postgres.statements import load_sql

if TYPE_CHECKING:
    from server.storage.postgres.pool import Connection
    from server.storage.postgres.rows import Row

PROJECTS_SQL = load_sql("projects.sql", "audit.sql")
AUDIT_SQL = load_sql("audit.sql")
DELETION_SQL = load_sql("project_deletion.sql", "changing.sql", "audit.sql")
_MEMORIES = "memories"
STATISTICS_SQL = load_sql("statistics.sql")
TRACES_SQL = load_sql("traces.sql")


class PostgresProjectStore(PostgresProjectArchives):
    """Implements `server.projects.ports.ProjectStore`.

    A deletion covers all tables with a `project_id` in PostgreSQL's catalog, so that a new table is
    never forgotten.
    """

    async def find_principal(self, key_digest: bytes) -> Principal | None:
        row = await self._database.fetchrow(PROJECTS_SQL["find_principal"](digest=key_digest))
        return to_principal(row) if row else None

    async def get_project(self, project_id: str) -> Project | None:
        row = await self._database.fetchrow(PROJECTS_SQL["get_project"](project_id=project_id))
        return to_project(row) if row else None

    async def create_project(self, project: Project) -> bool:
        created = await self._database.fetchval(
            PROJECTS_SQL["create_project"](
                project_id=project.id,
                org_id=project.org_id,
                create_time=project.create_time,
                **_settings(project),
                **actor_values(),
            )
        )
        return created is not None

    async def update_project(self, project: Project, seen: datetime) -> bool:
        updated = await self._database.fetchval(
            PROJECTS_SQL["update_project"](
                project_id=project.id,
                seen_time=seen,
                **_settings(project),
                **actor_values(),
            )
        )
        return updated is not None

    async def list_projects(self) -> list[Project]:
        rows = await self._database.fetch(PROJECTS_SQL["list_projects"]())
        return [to_project(row) for row in rows]

    async def set_quotas(self, project_id: str, quotas: Quotas) -> bool:
        updated = await self._database.fetchval(
            PROJECTS_SQL["set_quotas"](project_id=project_id, **asdict(quotas), **actor_values())
        )
        return updated is not None

    async def storage_use(self, project_id: str) -> StorageUse:
        row = await self._database.fetchrow(PROJECTS_SQL["storage_use"](project_id=project_id))
        if row is None:
            return StorageUse()
        quotas = Quotas(**{name: row[f"max_{name}"] for name in asdict(Quotas())})
        return StorageUse(quotas, row["memories"], row["bytes"])

    async def create_key(self, key: ApiKey, digest: bytes) -> None:
        await self._database.execute(
            PROJECTS_SQL["create_key"](digest=digest, **_key_values(key), **actor_values())
        )

    async def rotate_key(
        self, key_id: str, end: datetime, successor: ApiKey, digest: bytes
    ) -> bool:
        rotated = await self._database.fetchval(
            PROJECTS_SQL["rotate_key"](
                old_key_id=key_id,
                end_time=end,
                digest=digest,
                **_key_values(successor),
                **actor_values(),
            )
        )
        return rotated is not None

    async def record_uses(self, uses: Mapping[str, datetime]) -> None:
        await self._database.execute(
            PROJECTS_SQL["record_uses"](key_ids=list(uses), use_times=list(uses.values()))
        )

    async def list_keys(self) -> list[ApiKey]:
        rows = await self._database.fetch(PROJECTS_SQL["list_keys"]())
        return [to_api_key(row) for row in rows]

    async def revoke_key(self, key_id: str, now: datetime) -> bool:
        revoked = await self._database.fetchval(
            PROJECTS_SQL["revoke_key"](key_id=key_id, revoke_time=now, **actor_values())
        )
        return revoked is not None

    async def count_content(self, project_id: str, visible_on: date) -> ContentCounts:
        row = await self._database.fetchrow(
            STATISTICS_SQL["content"](project_id=project_id, visible_on=visible_on)
        )
        assert row is not None
        return ContentCounts(**row)

    async def count_changes(
        self, project_id: str, since: datetime, later_since: datetime
    ) -> tuple[ChangeCounts, ChangeCounts]:
        rows = await self._database.fetch(
            STATISTICS_SQL["changes"](project_id=project_id, since=since, later_since=later_since)
        )
        return (
            _counts({row["type"]: row["since"] for row in rows}),
            _counts({row["type"]: row["later_since"] for row in rows}),
        )

    async def begin_deletion(self, project_id: str, now: datetime) -> bool:
        closed = await self._database.fetchval(
            DELETION_SQL["close"](project_id=project_id, delete_time=now, **actor_values())
        )
        return closed is not None or await self.count_rows(project_id) > 0

    async def count_rows(self, project_id: str) -> int:
        total = 0
        async with self._database.connection() as connection:
            for table in (await _tables(connection)).values():
                count = DELETION_SQL["count"].fill(table=table)
                total += await connection.fetchval(*count(project_id=project_id))
        return total

    async def delete_rows(self, project_id: str, limit: int) -> Mapping[str, int]:
        async with self._database.connection() as connection:
            for name, table in (await _tables(connection)).items():
                if name == _MEMORIES:
                    statement = DELETION_SQL["delete_memories"]
                else:
                    statement = DELETION_SQL["delete_rows"].fill(table=table)
                bound = statement(project_id=project_id, limit=limit)
                if count := await connection.fetchval(*bound):
                    return {name: count}
        return {}

    async def finish_deletion(self, project_id: str) -> None:
        await self._database.execute(DELETION_SQL["forget"](project_id=project_id))

    async def trace(self, correlation_id: str, project_id: str | None = None) -> RequestTrace:
        async with self._database.connection() as connection:
            calls = await connection.fetch(
                *TRACES_SQL["calls"](correlation_id=correlation_id, project_id=project_id)
            )
            changes = await connection.fetch(
                *TRACES_SQL["changes"](
                    project_ids=[call["project_id"] for call in calls],
                    call_ids=[call["call_id"] for call in calls],
                )
            )
            operations = await connection.fetch(
                *TRACES_SQL["operations"](correlation_id=correlation_id, project_id=project_id)
            )
        return RequestTrace(
            calls=[TracedCall(**call) for call in calls],
            changes=[
                TracedChange(**{**change, "type": EventType(change["type"])}) for change in changes
            ],
            operations=[
                TracedOperation(**{**row, "state": OperationState(row["state"])})
                for row in operations
            ],
        )

    async def latest_audit_events(
        self, project_id: str | None, before: int, limit: int
    ) -> list[AuditEvent]:
        statement = (
            AUDIT_SQL["latest_of_all"](before_position=before, limit=limit)
            if project_id is None
            else AUDIT_SQL["latest"](project_id=project_id, before_position=before, limit=limit)
        )
        rows = await self._database.fetch(statement)
        return [_to_event(row) for row in rows]

    async def audit_events(
        self, project_id: str | None, since: datetime, after: int, limit: int
    ) -> list[AuditEvent]:
        rows = await self._database.fetch(
            AUDIT_SQL["read"](project_id=project_id, since=since, after_position=after, limit=limit)
        )
        return [_to_event(row) for row in rows]


def _to_event(row: Row) -> AuditEvent:
    return AuditEvent(
        id=row["event_id"],
        position=row["position"],
        time=row["event_time"],
        project_id=row["project_id"] or None,
        org_id=row["org_id"],
        action=row["action"],
        key_id=row["key_id"],
        peer=row["peer"],
        correlation_id=row["correlation_id"],
        target=row["target"],
        before=row["before"],
        after=row["after"],
    )


def _key_values(key: ApiKey) -> dict[str, object]:
    return {
        "key_id": key.id,
        "org_id": key.org_id,
        "project_id": key.project_id,
        "label": key.label,
        "create_time": key.create_time,
        "role": key.role,
        **(key.scope or Scope()).fields(),
        "expire_time": key.expire_time,
    }


def _settings(project: Project) -> dict[str, object]:
    return {
        "custom_instructions": project.custom_instructions,
        "custom_categories": from_categories(project.custom_categories),
        "default_retention_days": project.default_retention_days,
        "keeps_passages": project.keeps_passages,
        "update_time": project.update_time,
    }


def _counts(by_type: Mapping[str, int]) -> ChangeCounts:
    return ChangeCounts(*(by_type.get(kind, 0) for kind in EventType))


async def _tables(connection: Connection) -> Mapping[str, str]:
    """Returns the names of the tables, and their quoted names for statements."""
    rows = await connection.fetch(*DELETION_SQL["tables"]())
    return {row["name"]: row["quoted"] for row in rows}
