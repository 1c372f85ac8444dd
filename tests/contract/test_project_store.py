"""The contract of the project store, on PostgreSQL and on the fake of the unit tests."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from server.memories.add.inference import Category
from server.memories.scope import Scope
from server.projects.ports import ProjectStore
from server.projects.project import (
    ApiKey,
    KeyRole,
    Principal,
    Project,
    Quotas,
    StorageUse,
    key_digest,
    key_id,
    new_key,
)
from server.storage.postgres.memory_store import PostgresMemoryStore
from server.storage.postgres.pool import Database
from server.storage.postgres.projects import PostgresProjectStore
from tests.support.builders import NOW, addition, call, change_set, message
from tests.support.fakes import FakeProjectStore


@pytest.fixture(params=["fake", "postgres"])
def projects(request: pytest.FixtureRequest) -> ProjectStore:
    if request.param == "fake":
        return FakeProjectStore(now=lambda: datetime.now(UTC))
    stored: ProjectStore = request.getfixturevalue("stored_projects")
    return stored


@pytest.fixture
def stored_projects(database: Database) -> PostgresProjectStore:
    """The operations in the database of the memories."""
    return PostgresProjectStore(database)


QUOTAS = Quotas(memories=5, bytes=100, calls_per_second=7, calls=8, streams=9)


def project(project_id: str = "p1", org_id: str = "o1") -> Project:
    return Project(
        id=project_id,
        org_id=org_id,
        create_time=NOW,
        update_time=NOW,
        custom_instructions="Only facts.",
        custom_categories=(Category("wine", "what they drink"),),
        default_retention_days=30,
    )


def api_key(key: str, project_id: str | None = "p1") -> ApiKey:
    return ApiKey(key_id(key), "o1", project_id, "label", NOW)


async def test_a_project_is_read_back_whole(projects: ProjectStore) -> None:
    assert await projects.create_project(project())
    assert await projects.get_project("p1") == project()
    assert await projects.get_project("p2") is None


async def test_a_project_id_is_taken_once(projects: ProjectStore) -> None:
    await projects.create_project(project())
    assert not await projects.create_project(project(org_id="o2"))
    assert await projects.get_project("p1") == project()


async def test_a_deletion_closes_the_project_and_frees_its_id_at_the_end(
    projects: ProjectStore,
) -> None:
    await projects.create_project(project())
    await projects.create_key(api_key("one"), key_digest("one"))
    assert await projects.begin_deletion("p1", NOW)
    assert await projects.get_project("p1") is None
    assert await projects.find_principal(key_digest("one")) is None
    assert [each.delete_time for each in await projects.list_projects()] == [NOW]
    assert not await projects.create_project(project())
    assert (await projects.count_rows("p1"), await projects.delete_rows("p1", 9)) == (0, {})
    await projects.finish_deletion("p1")
    assert await projects.create_project(project())
    assert not await projects.begin_deletion("nobody's", NOW)


async def test_settings_are_changed_only_from_their_latest_state(
    projects: ProjectStore,
) -> None:
    await projects.create_project(project())
    await projects.create_project(project("p2"))
    later = NOW + timedelta(seconds=1)
    after = replace(
        project(),
        update_time=later,
        custom_instructions="",
        custom_categories=(Category("tea", ""), Category("food", "meals")),
        default_retention_days=0,
    )
    assert await projects.update_project(after, NOW)
    assert await projects.get_project("p1") == after
    assert not await projects.update_project(replace(project(), update_time=later), NOW)
    assert await projects.get_project("p1") == after
    assert await projects.get_project("p2") == project("p2")


async def test_projects_are_listed_by_organization_and_id(projects: ProjectStore) -> None:
    for project_id, org_id in (("b", "o1"), ("a", "o2"), ("a2", "o1")):
        await projects.create_project(project(project_id, org_id))
    assert [p.id for p in await projects.list_projects()] == ["a2", "b", "a"]


@pytest.mark.parametrize("project_id", ["p1", None])
async def test_a_key_authenticates_its_owner(
    projects: ProjectStore, project_id: str | None
) -> None:
    await projects.create_project(project())
    key = new_key()
    await projects.create_key(api_key(key, project_id), key_digest(key))
    found = await projects.find_principal(key_digest(key))
    assert found == Principal(key_id(key), "o1", project_id)
    assert await projects.find_principal(key_digest(new_key())) is None


async def test_a_revoked_key_authenticates_nobody(projects: ProjectStore) -> None:
    await projects.create_project(project())
    key, other = new_key(), new_key()
    for each in (key, other):
        await projects.create_key(api_key(each), key_digest(each))
    later = NOW + timedelta(days=1)
    assert await projects.revoke_key(key_id(key), later)
    assert not await projects.revoke_key(key_id(key), later)
    assert not await projects.revoke_key("unknown", later)
    assert await projects.find_principal(key_digest(key)) is None
    assert await projects.find_principal(key_digest(other)) is not None
    revoked = {k.id: k.revoke_time for k in await projects.list_keys()}
    assert revoked == {key_id(key): later, key_id(other): None}


async def test_a_key_is_read_back_whole(projects: ProjectStore) -> None:
    await projects.create_project(project())
    key = new_key()
    whole = replace(
        api_key(key),
        role=KeyRole.WRITE,
        scope=Scope(agent_id="a", run_id="r"),
        expire_time=datetime.now(UTC) + timedelta(days=1),
    )
    await projects.create_key(whole, key_digest(key))
    assert await projects.list_keys() == [whole]
    found = await projects.find_principal(key_digest(key))
    assert found == Principal(key_id(key), "o1", "p1", KeyRole.WRITE, whole.scope)


async def test_an_expired_key_authenticates_nobody(projects: ProjectStore) -> None:
    await projects.create_project(project())
    key = new_key()
    expired = replace(api_key(key), expire_time=datetime.now(UTC) - timedelta(seconds=1))
    await projects.create_key(expired, key_digest(key))
    assert await projects.find_principal(key_digest(key)) is None


async def test_a_rotated_key_expires_and_has_a_successor(projects: ProjectStore) -> None:
    await projects.create_project(project())
    old, new, unwanted = new_key(), new_key(), new_key()
    await projects.create_key(api_key(old), key_digest(old))
    end = datetime.now(UTC) + timedelta(hours=1)
    assert await projects.rotate_key(key_id(old), end, api_key(new), key_digest(new))
    assert not await projects.rotate_key("unknown", end, api_key(unwanted), key_digest(unwanted))
    ends = {key.id: key.expire_time for key in await projects.list_keys()}
    assert ends == {key_id(old): end, key_id(new): None}
    sooner, later = end - timedelta(minutes=1), end + timedelta(minutes=1)
    for time in (sooner, later):
        again = new_key()
        assert await projects.rotate_key(key_id(old), time, api_key(again), key_digest(again))
        ends = {key.id: key.expire_time for key in await projects.list_keys()}
        assert ends[key_id(old)] == sooner


async def test_the_last_use_of_a_key_never_moves_back(projects: ProjectStore) -> None:
    await projects.create_project(project())
    keys = [new_key(), new_key()]
    for each in keys:
        await projects.create_key(api_key(each), key_digest(each))
    later = NOW + timedelta(seconds=1)
    await projects.record_uses({key_id(keys[0]): later, "unknown": later})
    await projects.record_uses({key_id(keys[0]): NOW})
    used = {key.id: key.last_use_time for key in await projects.list_keys()}
    assert used == {key_id(keys[0]): later, key_id(keys[1]): None}


async def test_the_key_itself_is_nowhere_in_the_database(
    stored_projects: ProjectStore, postgres_dsn: str
) -> None:
    await stored_projects.create_project(project())
    key = new_key()
    await stored_projects.create_key(api_key(key), key_digest(key))
    connection = await asyncpg.connect(postgres_dsn)
    try:
        rows = await connection.fetch("SELECT api_keys::text AS row FROM api_keys")
    finally:
        await connection.close()
    assert len(rows) == 1
    assert key not in rows[0]["row"]
    assert key.encode().hex() not in rows[0]["row"]


async def test_quotas_are_read_back(projects: ProjectStore) -> None:
    await projects.create_project(project())
    for project_id in ("p1", "unknown"):
        assert await projects.storage_use(project_id) == StorageUse()
    assert await projects.set_quotas("p1", QUOTAS)
    assert not await projects.set_quotas("unknown", QUOTAS)
    assert await projects.storage_use("p1") == StorageUse(QUOTAS)
    assert await projects.storage_use("unknown") == StorageUse()
    assert await projects.get_project("p1") == project()


async def test_storage_is_counted_for_projects_with_quotas(
    stored_projects: ProjectStore, database: Database
) -> None:
    await stored_projects.create_project(project())
    store = PostgresMemoryStore(database, on_commit=lambda: None)
    new_call = call(project_id="p1")
    await store.commit(
        change_set(new_call, added=[addition(new_call, "tée")], messages=[message("Ich ä")])
    )
    assert await stored_projects.storage_use("p1") == StorageUse()
    await stored_projects.set_quotas("p1", QUOTAS)
    assert await stored_projects.storage_use("p1") == StorageUse(QUOTAS, memories=1, bytes=4 + 6)
