"""The Python client, synchronous and asynchronous, at a running server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, date, datetime
from itertools import islice

import memoir
import pytest
import pytest_asyncio

from tests.support.server import Client, Home, ServerProcess, key_of_new


@pytest.fixture
def sync_client(client: Client) -> Iterator[memoir.Client]:
    with memoir.Client(client.address, client.key) as made:
        yield made


@pytest_asyncio.fixture
async def async_client(client: Client) -> AsyncIterator[memoir.AsyncClient]:
    async with memoir.AsyncClient(client.address, client.key) as made:
        yield made


async def test_what_is_added_is_found_changed_and_deleted(
    sync_client: memoir.Client, user: str
) -> None:
    def conversation() -> None:
        [added] = sync_client.add("I play the cello.", user_id=user, metadata={"source": "test"})
        assert (added.text, added.event) == ("User plays the cello", memoir.EventType.ADD)
        [hit] = sync_client.search("which instrument?", user_id=user)
        assert isinstance(hit.found, memoir.Memory)
        assert (hit.text, hit.found.metadata) == (added.text, {"source": "test"})
        assert 0 < hit.score <= 1
        changed = sync_client.update(
            added.id, text="User plays the viola", expiration_date=date(2999, 1, 1)
        )
        assert changed.expiration_date == date(2999, 1, 1)
        assert sync_client.get(added.id) == changed
        assert [memory.id for memory in sync_client.list(user_id=user)] == [added.id]
        sync_client.delete(added.id)
        assert list(sync_client.list(user_id=user)) == []
        assert [event.type for event in sync_client.history(added.id)] == [
            "ADD",
            "UPDATE",
            "DELETE",
        ]
        with pytest.raises(memoir.NotFound) as caught:
            sync_client.get(added.id)
        assert caught.value.correlation_id
        assert sync_client.restore(added.id, 1).text == "User plays the cello"
        preview = sync_client.delete_all(user_id=user, erase=True, validate_only=True)
        assert (preview.memories, preview.messages) == (1, 1)
        assert sync_client.delete_all(user_id=user, erase=True) == preview
        assert [event.before for event in sync_client.history(added.id)] == [None]

    await asyncio.to_thread(conversation)


async def test_pages_are_fetched_as_they_are_needed(
    async_client: memoir.AsyncClient, user: str
) -> None:
    messages = [memoir.Message(role="user", content=f"Note {number}") for number in range(7)]
    await async_client.add(messages, user_id=user, infer=False)
    texts = [m.text async for m in async_client.list(user_id=user, page_size=3)]
    # The newest comes first, so the last message of a call does.
    assert texts == [f"Note {number}" for number in reversed(range(7))]
    kinds = {scope.id: scope.kind async for scope in async_client.scopes("user", page_size=1)}
    assert kinds[user] == "user"


async def test_a_submitted_add_has_a_result(async_client: memoir.AsyncClient, user: str) -> None:
    operation = await async_client.submit("I collect stamps.", user_id=user)
    [change] = await operation.result(timeout=20)
    assert "stamps" in change.text
    again = await async_client.operation(operation.name)
    assert (await again.done(), again.state) == (True, memoir.OperationState.SUCCEEDED)
    names = [found.name async for found in async_client.operations(page_size=5)]
    assert operation.name in names
    await again.delete()
    with pytest.raises(memoir.NotFound):
        await async_client.operation(operation.name)


async def test_batches_answer_item_by_item(async_client: memoir.AsyncClient, user: str) -> None:
    result = await async_client.add(
        [{"role": "user", "content": "one"}, {"role": "user", "content": "two"}],
        user_id=user,
        infer=False,
    )
    first, second = (change.id for change in result)
    missing = "00000000-0000-4000-8000-000000000000"
    updated = await async_client.update_many({first: {"text": "uno"}, missing: {"text": "x"}})
    assert [item.error is None for item in updated] == [True, False]
    assert updated[0].memory is not None
    assert updated[0].memory.text == "uno"
    assert isinstance(updated[1].error, memoir.NotFound)
    deleted = await async_client.delete_many([second, missing])
    assert [item.error is None for item in deleted] == [True, False]
    receipt = await async_client.delete_all(user_id=user)
    assert receipt.memories == 1
    assert (await async_client.delete_scope("user", user)).messages == 2


async def test_the_graph_is_read(async_client: memoir.AsyncClient, user: str) -> None:
    added = await async_client.add("My sister Ana lives in Porto.", user_id=user)
    token = added.consistency_token
    relations = [
        (r.source, r.relation, r.target)
        async for r in async_client.relations(user_id=user, consistency_token=token)
    ]
    assert ("Ana", "lives_in", "Porto") in relations
    around = await async_client.entity("Ana", user_id=user, consistency_token=token)
    assert "Porto" in {neighbor.name for neighbor in around.neighbors}
    names = {entity.name async for entity in async_client.entities(user_id=user)}
    assert {"Ana", "Porto"} <= names
    [path, *_] = await async_client.paths("Ana", "Porto", user_id=user)
    assert path[0].relation == "lives_in"


async def test_events_are_watched_through_a_restart(home: Home) -> None:
    """The stream continues at the next server on the same port, and misses nothing."""
    key = await key_of_new(home)
    server = home.server()
    await server.start()
    port = server.address.rpartition(":")[2]
    async with memoir.AsyncClient(server.address, key) as made:
        events: asyncio.Queue[memoir.MemoryEvent] = asyncio.Queue()
        begun = datetime.now(UTC)

        async def watch() -> None:
            async for event in made.watch(user_id="alice"):
                await events.put(event)

        watching = asyncio.create_task(watch())
        try:
            await _add_until_seen(made, events)
            await server.stop()
            second = home.server(MEMOIR_GRPC_PORT=port)
            await second.start()
            await made.add("I have a dog.", user_id="alice", infer=False)
            event = await asyncio.wait_for(_event_of(events, "I have a dog."), 30)
            assert event.time >= begun
            assert event.cursor
        finally:
            watching.cancel()
        await second.stop()


async def test_a_correlation_id_is_sent_along(sync_client: memoir.Client, user: str) -> None:
    def calls() -> None:
        with sync_client.correlation("checkout-17"):
            [change] = sync_client.add("I like tea.", user_id=user)
            with pytest.raises(memoir.InvalidArgument) as caught:
                sync_client.search("", user_id=user)
        [event] = sync_client.history(change.id)
        assert event.provenance.correlation_id == "checkout-17"
        assert caught.value.correlation_id == "checkout-17"
        assert [violation.field for violation in caught.value.violations] == ["query"]

    await asyncio.to_thread(calls)


async def test_settings_and_statistics_of_the_project_are_read(home: Home) -> None:
    key = await key_of_new(home)
    server = home.server()
    await server.start()

    def calls() -> None:
        with memoir.Client(server.address, key) as made:
            made.update_project(default_retention_days=30, custom_categories=[{"name": "plants"}])
            project = made.project()
            assert project.default_retention_days == 30
            assert project.custom_categories == {"plants": ""}
            made.add("I grow tomatoes.", user_id="alice", infer=False)
            assert made.statistics().store.memories == 1
            first, second = islice(made.watch_statistics(), 2)
            assert first.time.ToDatetime() < second.time.ToDatetime()

    await asyncio.to_thread(calls)
    await server.stop()


async def test_a_wrong_key_and_an_unreachable_server_have_their_own_errors(
    server: ServerProcess, user: str
) -> None:
    async with memoir.AsyncClient(server.address, "mem_wrong") as stranger:
        with pytest.raises(memoir.Unauthenticated):
            await stranger.search("q", user_id=user)
    once = memoir.RetryPolicy(attempts=1)
    async with memoir.AsyncClient("127.0.0.1:1", "mem_x", retries=once) as lost:
        with pytest.raises(memoir.Unavailable):
            await lost.search("q", user_id=user)


async def test_a_write_waits_for_the_server_to_come_back(home: Home) -> None:
    """A call to a server that is down is retried, with one effect."""
    key = await key_of_new(home)
    server = home.server()
    await server.start()
    port = server.address.rpartition(":")[2]
    await server.stop()
    patient = memoir.RetryPolicy(attempts=200, longest_delay=0.5)
    async with memoir.AsyncClient(server.address, key, retries=patient, timeout=60) as made:
        adding = asyncio.create_task(made.add("Note", user_id="alice", infer=False))
        second = home.server(MEMOIR_GRPC_PORT=port)
        await second.start()
        [change] = await adding
        assert [memory.id async for memory in made.list(user_id="alice")] == [change.id]
    await second.stop()


async def _add_until_seen(
    made: memoir.AsyncClient, events: asyncio.Queue[memoir.MemoryEvent]
) -> None:
    """Adds until the stream has begun, because nothing else shows that."""
    for number in range(100):
        await made.add(f"Note {number}", user_id="alice", infer=False)
        try:
            await asyncio.wait_for(events.get(), 0.5)
        except TimeoutError:
            continue
        return
    pytest.fail("the stream did not begin")


async def _event_of(events: asyncio.Queue[memoir.MemoryEvent], text: str) -> memoir.MemoryEvent:
    while True:
        event = await events.get()
        if event.after is not None and event.after.text == text:
            return event
