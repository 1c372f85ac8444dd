"""Identifying the principal of a key, with a cache."""

from __future__ import annotations

import pytest

from server.core.errors import ApiKeyInvalid
from server.projects.authorization import CACHE_SECONDS, Authenticate
from server.projects.project import ApiKey, Principal, key_digest, key_id, new_key
from tests.support.builders import NOW
from tests.support.fakes import FakeProjectStore


class World:
    """The use case, its keys and a clock that the test sets."""

    def __init__(self) -> None:
        self.projects = FakeProjectStore()
        self.seconds = 0.0
        self.authenticate = Authenticate(self.projects, lambda: self.seconds)

    async def creates_key(self, project_id: str | None) -> str:
        key = new_key()
        record = ApiKey(key_id(key), "org", project_id, "", NOW)
        await self.projects.create_key(record, key_digest(key))
        return key


@pytest.fixture
def world() -> World:
    return World()


@pytest.mark.parametrize("project_id", ["project", None])
async def test_a_key_identifies_its_project_or_organization(
    world: World, project_id: str | None
) -> None:
    key = await world.creates_key(project_id)
    assert await world.authenticate(key) == Principal(key_id(key), "org", project_id)


async def test_a_known_key_is_cached_for_a_while(world: World) -> None:
    key = await world.creates_key("project")
    for world.seconds in (0.0, 1.0, CACHE_SECONDS - 0.1):
        await world.authenticate(key)
    assert world.projects.lookups == 1
    world.seconds = CACHE_SECONDS
    await world.authenticate(key)
    assert world.projects.lookups == 2


async def test_a_revoked_key_is_refused_at_the_next_look_up(world: World) -> None:
    key = await world.creates_key("project")
    await world.authenticate(key)
    assert await world.projects.revoke_key(key_id(key), NOW)
    world.seconds = CACHE_SECONDS - 0.1
    await world.authenticate(key)
    world.seconds = CACHE_SECONDS
    with pytest.raises(ApiKeyInvalid):
        await world.authenticate(key)


async def test_unknown_keys_are_looked_up_each_time(world: World) -> None:
    key = new_key()
    for _ in range(3):
        with pytest.raises(ApiKeyInvalid):
            await world.authenticate(key)
    assert world.projects.lookups == 3


async def test_a_new_key_works_at_once(world: World) -> None:
    key = new_key()
    with pytest.raises(ApiKeyInvalid):
        await world.authenticate(key)
    await world.projects.create_key(ApiKey(key_id(key), "org", None, "", NOW), key_digest(key))
    assert (await world.authenticate(key)).key_id == key_id(key)


@pytest.mark.parametrize("key", ["", "x", "token mem_x", "Mem_x"])
async def test_malformed_keys_are_not_looked_up(world: World, key: str) -> None:
    with pytest.raises(ApiKeyInvalid):
        await world.authenticate(key)
    assert world.projects.lookups == 0


async def test_a_refusal_does_not_reveal_its_reason(world: World) -> None:
    key = await world.creates_key("project")
    await world.projects.revoke_key(key_id(key), NOW)
    messages = set()
    for wrong in (key, new_key(), "malformed"):
        with pytest.raises(ApiKeyInvalid) as raised:
            await world.authenticate(wrong)
        messages.add(raised.value.message)
        assert wrong not in raised.value.message
    assert len(messages) == 1
