"""Two runs of one agent: neither learns of the other through the graph."""

from __future__ import annotations

from uuid import uuid4

import grpc
import pytest
from memoir.v1 import graph_service_pb2, memory_pb2, memory_service_pb2

from tests.support.errors import details_of
from tests.support.server import Client


class Runs:
    """Two runs of an agent; the second knows less than the first."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.agent = f"agent-{uuid4()}"
        self.token = ""

    async def add(self, run: str, text: str) -> None:
        request = memory_service_pb2.AddMemoriesRequest(
            agent_id=self.agent,
            run_id=run,
            messages=[memory_pb2.Message(role="user", content=text)],
        )
        response = await self.client.memory.AddMemories(request, metadata=self.client.metadata)
        self.token = response.consistency_token

    async def listed(self, run: str | None, query: str | None = None) -> set[str]:
        request = graph_service_pb2.ListEntitiesRequest(
            agent_id=self.agent, run_id=run, query=query, consistency_token=self.token
        )
        page = await self.client.graph.ListEntities(request, metadata=self.client.metadata)
        return {name for each in page.entities for name in (each.name, *each.aliases)}

    async def entity(self, run: str | None, name: str) -> graph_service_pb2.Entity:
        request = graph_service_pb2.GetEntityRequest(
            agent_id=self.agent, run_id=run, name=name, consistency_token=self.token
        )
        response = await self.client.graph.GetEntity(request, metadata=self.client.metadata)
        return response.entity

    async def homes(self, run: str | None) -> list[str]:
        request = graph_service_pb2.ListRelationsRequest(
            agent_id=self.agent, run_id=run, relation="lives_in", consistency_token=self.token
        )
        page = await self.client.graph.ListRelations(request, metadata=self.client.metadata)
        return [relation.target for relation in page.relations]

    async def paths(self, run: str | None, source: str, target: str) -> int:
        request = graph_service_pb2.FindPathsRequest(
            agent_id=self.agent,
            run_id=run,
            source=source,
            target=target,
            max_length=4,
            consistency_token=self.token,
        )
        response = await self.client.graph.FindPaths(request, metadata=self.client.metadata)
        return len(response.paths)


@pytest.fixture
async def runs(client: Client) -> Runs:
    runs = Runs(client)
    await runs.add("one", "My friend Robert, also called Bob, works at Globex.")
    await runs.add("two", "My friend Robert lives in Lisbon.")
    await runs.add("one", "My friend Robert lives in Porto.")
    return runs


async def test_an_alias_is_known_only_in_the_run_that_stated_it(runs: Runs) -> None:
    assert {"Robert", "Bob"} <= await runs.listed("one")
    assert "Bob" not in await runs.listed("two")
    assert await runs.listed("two", "bob") == set()
    assert {"Robert", "Bob"} <= await runs.listed(None)
    assert "Bob" in (await runs.entity("one", "Bob")).aliases
    assert list((await runs.entity("two", "Robert")).aliases) == []
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await runs.entity("two", "Bob")
    assert details_of(caught.value).code is grpc.StatusCode.NOT_FOUND


async def test_a_relation_is_ended_only_by_what_the_scope_sees(runs: Runs) -> None:
    assert await runs.homes("two") == ["Lisbon"]
    assert await runs.homes("one") == ["Porto"]
    assert await runs.homes(None) == ["Porto"]


async def test_paths_lead_through_what_the_scope_sees(runs: Runs) -> None:
    assert await runs.paths("one", "Bob", "Globex") == 1
    assert await runs.paths("one", "Globex", "Porto") == 1
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await runs.paths("two", "Robert", "Globex")
    assert details_of(caught.value).code is grpc.StatusCode.NOT_FOUND
