"""Names in a model's answer are data, in writes and in every read."""

from __future__ import annotations

from dataclasses import dataclass

from memoir.v1 import graph_service_pb2, memory_pb2, memory_service_pb2
from neo4j import AsyncDriver

from server.graph.model import clean_name, relation_name, words_of
from server.storage.neo4j.graph import Neo4jGraph
from tests.support.gemini_server import GeminiServer
from tests.support.server import Client, Home
from tests.support.whole_graph import doubles, settled

HOSTILE = (
    'O\'Brien "the" `tick` \\',
    "x'}) DETACH DELETE (n) //",
    "`}]->() MATCH (n) DETACH DELETE n RETURN 1 UNION /*",
    "$project_id {project_id: 'other'} %s {0} ${name}",
    'a" OR *:* AND (b:c)^9~ [1 TO 2] /re.*/ && || !+-?',
    "'); DROP TABLE memories; --",
    "Tab\tBell\x07Escape\x1b[31mRed\x9f",
    "\u202eright\u202c-to-\u200fleft\u2066",
    "long " * 2_000,
    "ﷺ" * 500,
)
KIND = "`knows`]->() DELETE r //"
KNOWS = relation_name(KIND)
BOB = {"name": "Bob", "type": "person"}


@dataclass(frozen=True)
class AddedName:
    """The user for whom a name was added, and the response of that add."""

    user: str
    name: str
    answer: memory_service_pb2.AddMemoriesResponse


async def add_name(on_own_gemini: GeminiServer, number: int, raw: str) -> AddedName:
    """A memory that is about this name according to the model."""
    quote = f"They know Bob {number}"
    on_own_gemini.endpoint.answer(
        {
            "operations": [
                {
                    "message": 1,
                    "quote": quote,
                    "action": "ADD",
                    "text": f"{raw[:400]} knows Bob {number}",
                    "categories": [],
                    "entities": [
                        {"name": raw, "type": raw[:50]},
                        {"name": "Bob", "type": "person"},
                    ],
                    "relations": [{"source": raw, "relation": KIND, "target": "Bob"}],
                }
            ]
        }
    )
    user = f"hostile-{number}"
    request = memory_service_pb2.AddMemoriesRequest(
        user_id=user,
        output_format="v1.1",
        messages=[memory_pb2.Message(role="user", content=f"{raw[:1000]}: {quote}")],
    )
    client = on_own_gemini.client
    answer = await client.memory.AddMemories(request, metadata=client.metadata)
    return AddedName(user, clean_name(raw), answer)


async def relations(client: Client, named: AddedName) -> list[tuple[str, str, str]]:
    response = await client.graph.ListRelations(
        graph_service_pb2.ListRelationsRequest(
            user_id=named.user, entity=named.name, relation=KIND
        ),
        metadata=client.metadata,
    )
    return [(r.source, r.relation, r.target) for r in response.relations]


async def neighbours(client: Client, named: AddedName, name: str) -> tuple[str, list[str]]:
    response = await client.graph.GetEntity(
        graph_service_pb2.GetEntityRequest(user_id=named.user, name=name),
        metadata=client.metadata,
    )
    return response.entity.name, [neighbor.name for neighbor in response.neighbors]


async def entities(client: Client, named: AddedName, query: str | None = None) -> set[str]:
    response = await client.graph.ListEntities(
        graph_service_pb2.ListEntitiesRequest(user_id=named.user, query=query),
        metadata=client.metadata,
    )
    return {entity.name for entity in response.entities}


async def paths(client: Client, named: AddedName) -> list[list[tuple[str, str]]]:
    response = await client.graph.FindPaths(
        graph_service_pb2.FindPathsRequest(user_id=named.user, source="Bob", target=named.name),
        metadata=client.metadata,
    )
    return [[(r.source, r.target) for r in path.relations] for path in response.paths]


async def searched(client: Client, named: AddedName) -> tuple[list[str], list[str], list[str]]:
    response = await client.memory.SearchMemories(
        memory_service_pb2.SearchMemoriesRequest(
            user_id=named.user,
            query=named.name,
            include_relations=True,
            # The rest of the message is a passage.
            sources=[memory_service_pb2.SEARCH_SOURCE_MEMORIES],
        ),
        metadata=client.metadata,
    )
    return (
        [result.memory.id for result in response.results],
        [relation.source for relation in response.relations],
        [skipped.arm for skipped in response.degraded],
    )


async def test_hostile_names_are_data_in_every_read(
    on_own_gemini: GeminiServer,
    home: Home,
    idle: None,
    graph: Neo4jGraph,
    neo4j_driver: AsyncDriver,
) -> None:
    del idle, graph  # is empty, like the database
    client = on_own_gemini.client
    everything = [await add_name(on_own_gemini, number, raw) for number, raw in enumerate(HOSTILE)]
    report = await settled(home)
    for named in everything:
        name = named.name
        [added] = named.answer.relations
        assert (added.source, added.relation, added.target) == (name, KNOWS, "Bob")
        assert await relations(client, named) == [(name, KNOWS, "Bob")]
        assert await neighbours(client, named, name) == (name, ["Bob"])
        assert await neighbours(client, named, "bob") == ("Bob", [name])
        assert await entities(client, named) == {name, "Bob"}
        assert await entities(client, named, name) == ({name} if words_of(name) else set())
        assert await paths(client, named) == [[(name, "Bob")]]
        [result] = named.answer.results
        assert await searched(client, named) == ([result.id], [name], [])

    assert (report.memories, dict(report.differences)) == (len(HOSTILE), {})
    assert await doubles(neo4j_driver) == []
    assert await kinds(neo4j_driver) == {"Entity", "Memory", "SpaceLock", "MENTIONS", "RELATES_TO"}


async def kinds(driver: AsyncDriver) -> set[str]:
    """All labels and relationship types in the graph."""
    found, _, _ = await driver.execute_query(
        "MATCH (n) UNWIND labels(n) AS kind RETURN kind "
        "UNION MATCH ()-[r]->() RETURN type(r) AS kind",
        database_="neo4j",
    )
    return {record["kind"] for record in found}
