"""Deleting a whole project."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest

from server.projects.manage_project import DeleteProject
from server.projects.project import ProjectUnknown
from tests.support.fakes import FakeClock, FakeProjectStore


@dataclass
class Doomed(FakeProjectStore):
    """A project of 3 rows, to which a call in progress adds one `late`."""

    known: bool = True
    rows: list[str] = field(default_factory=lambda: ["memories", "memories", "calls"])
    late: list[str] = field(default_factory=lambda: ["memories"])
    steps: list[str] = field(default_factory=list)

    async def begin_deletion(self, project_id: str, now: datetime) -> bool:
        self.steps.append("begin")
        return self.known

    async def count_rows(self, project_id: str) -> int:
        return len(self.rows)

    async def delete_rows(self, project_id: str, limit: int) -> Mapping[str, int]:
        if not self.rows:
            self.steps.append("empty")
            self.rows, self.late = self.late, []
            return {}
        return {self.rows.pop(0): 1}

    async def finish_deletion(self, project_id: str) -> None:
        self.steps.append("finish")


async def test_a_project_is_closed_first_and_then_deleted_twice() -> None:
    projects = Doomed()
    seen: list[tuple[int, int]] = []
    delete = DeleteProject(projects, FakeClock(), settling=timedelta())
    deleted = await delete("doomed", lambda done, total: seen.append((done, total)))
    assert deleted == {"memories": 3, "calls": 1}
    assert projects.steps == ["begin", "empty", "empty", "finish"]
    assert seen == [(1, 3), (2, 3), (3, 3), (4, 4)]


async def test_an_unknown_project_is_not_deleted() -> None:
    projects = Doomed(known=False)
    with pytest.raises(ProjectUnknown):
        await DeleteProject(projects, FakeClock(), settling=timedelta())("nobody's")
    assert projects.steps == ["begin"]
