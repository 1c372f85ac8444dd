"""Which projects a call may access."""

from __future__ import annotations

import pytest

from server.core.errors import MemoirError, ProjectForbidden, ProjectRequired
from server.projects.authorization import CACHE_SECONDS, Authorize
from server.projects.project import Caller, Principal, Project
from tests.support.builders import NOW
from tests.support.fakes import FakeProjectStore

OF_PROJECT = Principal("key", "acme", "one")
OF_ORGANIZATION = Principal("key", "acme", None)


@pytest.fixture
def projects() -> FakeProjectStore:
    owners = {"one": "acme", "two": "acme", "theirs": "globex"}
    return FakeProjectStore({id_: Project(id_, org, NOW, NOW) for id_, org in owners.items()})


@pytest.mark.parametrize(
    ("principal", "org_id", "project_id", "expected"),
    [
        (OF_PROJECT, None, None, "one"),
        (OF_PROJECT, "acme", None, "one"),
        (OF_PROJECT, "acme", "one", "one"),
        (OF_PROJECT, None, "one", "one"),
        (OF_PROJECT, None, "two", ProjectForbidden),
        (OF_PROJECT, None, "nowhere", ProjectForbidden),
        (OF_PROJECT, "globex", None, ProjectForbidden),
        (OF_PROJECT, "globex", "one", ProjectForbidden),
        (OF_PROJECT, "nobody", "one", ProjectForbidden),
        (OF_ORGANIZATION, None, "one", "one"),
        (OF_ORGANIZATION, "acme", "two", "two"),
        (OF_ORGANIZATION, None, None, ProjectRequired),
        (OF_ORGANIZATION, "acme", None, ProjectRequired),
        (OF_ORGANIZATION, "globex", None, ProjectForbidden),
        (OF_ORGANIZATION, None, "theirs", ProjectForbidden),
        (OF_ORGANIZATION, "globex", "theirs", ProjectForbidden),
        (OF_ORGANIZATION, None, "nowhere", ProjectForbidden),
    ],
)
async def test_keys_have_access_to_their_projects(
    projects: FakeProjectStore,
    principal: Principal,
    org_id: str | None,
    project_id: str | None,
    expected: str | type[MemoirError],
) -> None:
    authorize = Authorize(projects)
    for _ in range(2):  # the second time from the cache
        if isinstance(expected, str):
            caller = await authorize(principal, org_id, project_id)
            assert caller == Caller("key", "acme", expected)
        else:
            with pytest.raises(expected):
                await authorize(principal, org_id, project_id)


async def test_a_missing_project_is_refused_like_one_of_another_organization(
    projects: FakeProjectStore,
) -> None:
    messages = set()
    for project_id in ("theirs", "nowhere"):
        with pytest.raises(ProjectForbidden) as raised:
            await Authorize(projects)(OF_ORGANIZATION, None, project_id)
        messages.add((raised.value.message, tuple(raised.value.metadata)))
    assert len(messages) == 1


async def test_the_key_of_a_project_needs_no_look_up(projects: FakeProjectStore) -> None:
    await Authorize(projects)(OF_PROJECT, "acme", "one")
    assert projects.lookups == 0


async def test_the_owner_of_a_project_is_cached_for_a_while(
    projects: FakeProjectStore,
) -> None:
    seconds = 0.0
    authorize = Authorize(projects, lambda: seconds)
    for seconds in (0.0, 1.0, CACHE_SECONDS):  # noqa: B007 - read by the clock above
        await authorize(OF_ORGANIZATION, None, "one")
    assert projects.lookups == 2


async def test_a_new_project_can_be_used_at_once(projects: FakeProjectStore) -> None:
    authorize = Authorize(projects)
    with pytest.raises(ProjectForbidden):
        await authorize(OF_ORGANIZATION, None, "new")
    await projects.create_project(Project("new", "acme", NOW, NOW))
    assert (await authorize(OF_ORGANIZATION, None, "new")).project_id == "new"
