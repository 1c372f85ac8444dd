"""Making projects and keys."""

from __future__ import annotations

import pytest

from server.core.errors import InvalidRequest, NotFound
from server.projects.administration import Administration
from server.projects.project import key_digest, key_id
from tests.support.builders import NOW
from tests.support.fakes import FakeClock, FakeProjectStore


@pytest.fixture
def projects() -> FakeProjectStore:
    return FakeProjectStore()


@pytest.fixture
def administration(projects: FakeProjectStore) -> Administration:
    return Administration(projects, FakeClock())


async def test_a_project_is_made_once(administration: Administration) -> None:
    made = await administration.create_project("one", "acme")
    assert (made.id, made.org_id, made.create_time, made.update_time) == ("one", "acme", NOW, NOW)
    with pytest.raises(InvalidRequest) as raised:
        await administration.create_project("one", "globex")
    assert [v.field for v in raised.value.violations] == ["project_id"]
    assert await administration.list_projects() == [made]


@pytest.mark.parametrize("wrong", ["", "x" * 65, "a\nb", "a\0"])
@pytest.mark.parametrize("field", ["project_id", "org_id"])
async def test_malformed_ids_are_refused(
    administration: Administration, field: str, wrong: str
) -> None:
    names = {"project_id": "one", "org_id": "acme", field: wrong}
    with pytest.raises(InvalidRequest) as raised:
        await administration.create_project(**names)
    assert [v.field for v in raised.value.violations] == [field]
    assert await administration.list_projects() == []


async def test_the_longest_ids_are_taken(administration: Administration) -> None:
    assert (await administration.create_project("x" * 64, "é " * 32)).id == "x" * 64


async def test_a_key_is_given_out_once_and_stored_as_a_digest(
    administration: Administration, projects: FakeProjectStore
) -> None:
    await administration.create_project("one", "acme")
    record, key = await administration.create_key(project_id="one", org_id=None, label="laptop")
    assert (record.id, record.org_id, record.project_id) == (key_id(key), "acme", "one")
    assert (record.label, record.create_time, record.revoke_time) == ("laptop", NOW, None)
    assert projects.keys == {key_digest(key): record}
    assert await administration.is_valid(key)
    assert not await administration.is_valid(key + "x")


async def test_a_key_of_an_organization_opens_all_its_projects(
    administration: Administration,
) -> None:
    await administration.create_project("one", "acme")
    record, _ = await administration.create_key(project_id=None, org_id="acme", label="")
    assert (record.org_id, record.project_id) == ("acme", None)
    assert await administration.list_keys() == [record]


@pytest.mark.parametrize(
    ("project_id", "org_id", "error"),
    [
        ("nowhere", None, NotFound),
        ("one", "globex", InvalidRequest),
        (None, None, InvalidRequest),
        (None, "", InvalidRequest),
        (None, "globex", NotFound),
    ],
)
async def test_a_key_needs_an_owner(
    administration: Administration,
    projects: FakeProjectStore,
    project_id: str | None,
    org_id: str | None,
    error: type[Exception],
) -> None:
    await administration.create_project("one", "acme")
    with pytest.raises(error):
        await administration.create_key(project_id=project_id, org_id=org_id, label="")
    assert projects.keys == {}


async def test_the_owner_of_the_project_may_be_named(administration: Administration) -> None:
    await administration.create_project("one", "acme")
    record, _ = await administration.create_key(project_id="one", org_id="acme", label="")
    assert record.project_id == "one"


async def test_a_key_is_revoked_once(administration: Administration) -> None:
    await administration.create_project("one", "acme")
    record, key = await administration.create_key(project_id=None, org_id="acme", label="")
    await administration.revoke_key(record.id)
    assert not await administration.is_valid(key)
    assert [key.revoke_time for key in await administration.list_keys()] == [NOW]
    for again in (record.id, "unknown"):
        with pytest.raises(NotFound):
            await administration.revoke_key(again)
