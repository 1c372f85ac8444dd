"""Reading and changing a project's settings."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import pytest

from server.core.errors import ConcurrentChange, EtagMismatch, ProjectForbidden
from server.memories.add.inference import Category
from server.projects.manage_project import GetProject, UpdateProject, UpdateProjectCommand
from server.projects.project import Project, ProjectChanges, ProjectField
from tests.support.builders import NOW
from tests.support.fakes import FakeClock, FakeProjectStore

BEFORE = Project("p1", "o1", NOW, NOW, "Only facts.", (Category("wine", ""),), 30)
DAYS = ProjectChanges(frozenset({ProjectField.DEFAULT_RETENTION_DAYS}), default_retention_days=7)


@pytest.fixture
def projects() -> FakeProjectStore:
    return FakeProjectStore({"p1": BEFORE})


async def test_only_the_named_settings_change(projects: FakeProjectStore) -> None:
    later = NOW + timedelta(hours=1)
    update = UpdateProject(projects, FakeClock(later))
    after = await update(UpdateProjectCommand("p1", DAYS, BEFORE.etag))
    assert after == replace(BEFORE, default_retention_days=7, update_time=later)
    assert await GetProject(projects)("p1") == after
    assert after.etag != BEFORE.etag


async def test_a_named_and_absent_setting_is_cleared(projects: FakeProjectStore) -> None:
    cleared = ProjectChanges(frozenset(ProjectField))
    after = await UpdateProject(projects, FakeClock())(UpdateProjectCommand("p1", cleared))
    assert (after.custom_instructions, after.custom_categories) == ("", ())
    assert after.default_retention_days == 0


async def test_an_etag_changes_even_if_the_clock_does_not(projects: FakeProjectStore) -> None:
    update = UpdateProject(projects, FakeClock())
    after = await update(UpdateProjectCommand("p1", DAYS))
    with pytest.raises(EtagMismatch) as caught:
        await update(UpdateProjectCommand("p1", DAYS, BEFORE.etag))
    assert caught.value.metadata == {"id": "p1"}
    assert after.etag != BEFORE.etag


async def test_access_to_a_missing_project_is_forbidden(projects: FakeProjectStore) -> None:
    with pytest.raises(ProjectForbidden):
        await GetProject(projects)("p2")


@dataclass
class BusyProjectStore(FakeProjectStore):
    """Changes the project between its read and its update."""

    async def update_project(self, project: Project, seen: datetime) -> bool:
        return False


@pytest.mark.parametrize(("etag", "error"), [(BEFORE.etag, EtagMismatch), (None, ConcurrentChange)])
async def test_a_concurrent_change_is_reported(etag: str | None, error: type[Exception]) -> None:
    update = UpdateProject(BusyProjectStore({"p1": BEFORE}), FakeClock())
    with pytest.raises(error):
        await update(UpdateProjectCommand("p1", DAYS, etag))
