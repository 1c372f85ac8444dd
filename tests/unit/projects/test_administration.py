"""Creating projects and keys."""

from __future__ import annotations

from datetime import timedelta

import pytest

from server.core.errors import InvalidRequest, NotFound
from server.memories.scope import Scope
from server.projects.administration import Administration, KeyRights
from server.projects.project import KeyRole, key_digest, key_id
from tests.support.builders import NOW
from tests.support.fakes import FakeClock, FakeProjectStore


@pytest.fixture
def projects() -> FakeProjectStore:
    return FakeProjectStore()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def administration(projects: FakeProjectStore, clock: FakeClock) -> Administration:
    return Administration(projects, clock)


async def test_a_project_is_created_once(administration: Administration) -> None:
    created = await administration.create_project("one", "acme")
    assert (created.id, created.org_id, created.create_time, created.update_time) == (
        "one",
        "acme",
        NOW,
        NOW,
    )
    with pytest.raises(InvalidRequest) as raised:
        await administration.create_project("one", "globex")
    assert [v.field for v in raised.value.violations] == ["project_id"]
    assert await administration.list_projects() == [created]


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


async def test_the_longest_ids_are_accepted(administration: Administration) -> None:
    assert (await administration.create_project("x" * 64, "é " * 32)).id == "x" * 64


async def test_a_key_is_shown_once_and_stored_as_a_digest(
    administration: Administration, projects: FakeProjectStore
) -> None:
    await administration.create_project("one", "acme")
    record, key = await administration.create_key(project_id="one", org_id=None, label="laptop")
    assert (record.id, record.org_id, record.project_id) == (key_id(key), "acme", "one")
    assert (record.label, record.create_time, record.revoke_time) == ("laptop", NOW, None)
    assert projects.keys == {key_digest(key): record}
    assert await administration.is_valid(key)
    assert not await administration.is_valid(key + "x")


async def test_a_key_of_an_organization_gives_access_to_all_its_projects(
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


async def test_a_key_has_the_given_rights(administration: Administration) -> None:
    await administration.create_project("one", "acme")
    rights = KeyRights(KeyRole.READ, Scope(user_id="alice"), timedelta(days=1))
    record, key = await administration.create_key(
        project_id="one", org_id=None, label="", rights=rights
    )
    assert (record.role, record.scope) == (KeyRole.READ, Scope(user_id="alice"))
    assert record.expire_time == NOW + timedelta(days=1)
    assert await administration.is_valid(key)


@pytest.mark.parametrize(
    ("rights", "field"),
    [
        (KeyRights(lifetime=timedelta(0)), "lifetime"),
        (KeyRights(lifetime=timedelta(days=100_000)), "lifetime"),
        (KeyRights(scope=Scope(user_id="")), "user_id"),
        (KeyRights(scope=Scope(run_id="x" * 257)), "run_id"),
        (KeyRights(scope=Scope(app_id="a\nb")), "app_id"),
    ],
)
async def test_malformed_rights_are_refused(
    administration: Administration, rights: KeyRights, field: str
) -> None:
    await administration.create_project("one", "acme")
    with pytest.raises(InvalidRequest) as raised:
        await administration.create_key(project_id="one", org_id=None, label="", rights=rights)
    assert [v.field for v in raised.value.violations] == [field]


async def test_a_rotated_key_and_its_successor_overlap(
    administration: Administration, clock: FakeClock
) -> None:
    await administration.create_project("one", "acme")
    rights = KeyRights(KeyRole.WRITE, Scope(user_id="alice"), timedelta(days=90))
    old, old_key = await administration.create_key(
        project_id="one", org_id=None, label="laptop", rights=rights
    )
    clock.time = NOW + timedelta(days=30)
    new, new_key = await administration.rotate_key(old.id, timedelta(hours=24))
    assert (new.role, new.scope, new.label) == (old.role, old.scope, old.label)
    assert new.expire_time == clock.time + timedelta(days=90)
    ends = {key.id: key.expire_time for key in await administration.list_keys()}
    assert ends[old.id] == clock.time + timedelta(hours=24)
    assert await administration.is_valid(old_key)
    assert await administration.is_valid(new_key)


async def test_only_a_valid_key_is_rotated(
    administration: Administration, clock: FakeClock
) -> None:
    await administration.create_project("one", "acme")
    rights = KeyRights(lifetime=timedelta(days=1))
    old, _ = await administration.create_key(project_id="one", org_id=None, label="", rights=rights)
    revoked, _ = await administration.create_key(project_id="one", org_id=None, label="")
    await administration.revoke_key(revoked.id)
    clock.time = NOW + timedelta(days=1)
    for identifier in (old.id, revoked.id, "unknown"):
        with pytest.raises(NotFound):
            await administration.rotate_key(identifier, timedelta(0))
    with pytest.raises(InvalidRequest):
        await administration.rotate_key(old.id, timedelta(seconds=-1))
