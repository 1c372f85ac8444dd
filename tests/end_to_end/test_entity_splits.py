"""Undoing a wrong join of names by the command line, while a server runs."""

from __future__ import annotations

from memoir.v1 import graph_service_pb2, memory_pb2, memory_service_pb2

from tests.support.processes import eventually
from tests.support.server import PROJECT, Client, Home, run_command
from tests.support.whole_graph import settled

JOINED = "Robert Smith goes by Bob."
ALL = ("Bob", "Globex", "Robert Smith")
FOLLOW_SECONDS = 20.0


async def add_message(client: Client, user: str, text: str, run_id: str | None = None) -> str:
    """Adds a message and returns the token of the add."""
    request = memory_service_pb2.AddMemoriesRequest(
        user_id=user,
        run_id=run_id,
        messages=[memory_pb2.Message(role="user", content=text)],
    )
    response = await client.memory.AddMemories(request, metadata=client.metadata)
    return response.consistency_token


async def names(client: Client, user: str, token: str | None = None) -> dict[str, list[str]]:
    """The entities of a user, and their other names."""
    request = graph_service_pb2.ListEntitiesRequest(user_id=user, consistency_token=token)
    response = await client.graph.ListEntities(request, metadata=client.metadata)
    return {entity.name: list(entity.aliases) for entity in response.entities}


async def entities(home: Home, verb: str, *arguments: str, status: int = 0) -> str:
    """What `python -m server entities ...` prints."""
    return await run_command(
        *("entities", verb, "--project", PROJECT, *arguments),
        environment={**home.environment, "COLUMNS": "200"},
        status=status,
    )


async def test_a_split_is_listed_holds_for_the_same_text_and_can_be_taken_back(
    shared_home: Home, client: Client, user: str
) -> None:
    await add_message(client, user, "Bob works at Globex.")
    token = await add_message(client, user, JOINED)
    space = ("--space", f"user:{user}")

    async def are(apart: bool) -> bool:
        found = await names(client, user)
        return (("Bob" in found), found.get("Robert Smith")) == (apart, [] if apart else ["Bob"])

    async def apart() -> bool:
        return await are(True)

    async def together() -> bool:
        return await are(False)

    await names(client, user, token)
    await eventually(together, FOLLOW_SECONDS)
    assert "joined" in await entities(shared_home, "list", *space)
    await entities(shared_home, "split", *space, "Robert Smith", "bob")
    await eventually(apart, FOLLOW_SECONDS)
    assert "split" in await entities(shared_home, "list", *space)

    token = await add_message(client, user, JOINED, run_id="again")
    assert await names(client, user, token) == {name: [] for name in ALL}
    # Other tests may leave memories in this graph that are no longer in the store.
    report = await settled(shared_home, PROJECT)
    listed = await client.memory.ListMemories(
        memory_service_pb2.ListMemoriesRequest(user_id=user), metadata=client.metadata
    )
    own = {memory.id for memory in listed.memories}
    unequal = {name.rpartition("/")[2] for found in report.examples.values() for name in found}
    assert own
    assert own.isdisjoint(unequal)

    await entities(shared_home, "rejoin", *space, "Robert Smith", "Bob")
    await eventually(together, FOLLOW_SECONDS)
    output = await entities(shared_home, "rejoin", *space, "Robert Smith", "Bob", status=2)
    assert "not split" in output


async def test_the_splits_of_a_user_go_with_the_user(
    shared_home: Home, client: Client, user: str
) -> None:
    token = await add_message(client, user, JOINED)
    await names(client, user, token)
    space = ("--space", f"user:{user}")
    await entities(shared_home, "split", *space, "Robert Smith", "Bob")
    assert "Robert Smith" in await entities(shared_home, "list", *space)
    request = memory_service_pb2.DeleteScopeRequest(
        kind=memory_service_pb2.SCOPE_KIND_USER, id=user
    )
    await client.memory.DeleteScope(request, metadata=client.metadata)

    async def forgotten() -> bool:
        return "Robert Smith" not in await entities(shared_home, "list", *space)

    # Aliases that the memories stated disappear once the graph reflects the deletion.
    await eventually(forgotten, FOLLOW_SECONDS)
