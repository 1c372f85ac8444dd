"""Changing the embedder of a store as an operator does: interrupted, continued, and used."""

from __future__ import annotations

from aiohttp import web
from memoir.v1 import memory_service_pb2

from tests.support import gemini_faults
from tests.support.api import add, listed, update, update_of
from tests.support.gemini_endpoint import GeminiEndpoint
from tests.support.gemini_faults import Json
from tests.support.gemini_server import API_KEY
from tests.support.server import Client, Home, connected, key_of, run_command

USER = "alice"
# More than are embedded at once.
MEMORIES = 250


async def answer_normally(_request: web.Request, answer: Json) -> web.StreamResponse:
    return web.json_response(answer)


async def found(client: Client, query: str, **fields: object) -> list[str]:
    response = await client.memory.SearchMemories(
        memory_service_pb2.SearchMemoriesRequest(
            user_id=USER,
            query=query,
            **fields,  # type: ignore[arg-type] # the fields' types differ
        ),
        metadata=client.metadata,
    )
    return [result.memory.text for result in response.results]


async def test_a_store_changes_its_embedder(home: Home, gemini: GeminiEndpoint) -> None:
    models = {
        "MEMOIR_MODELS": "gemini",
        "GEMINI_API_KEY": API_KEY,
        "MEMOIR_GEMINI_BASE_URL": gemini.base_url,
    }
    environment = {**home.environment, **models}
    offline = home.server()
    await offline.start()
    key = await key_of(home)
    async with connected(offline.address, key) as client:
        for begin in range(0, MEMORIES, 50):
            texts = [f"number {n} of the harbour" for n in range(begin, begin + 50)]
            await add(client, USER, *texts, infer=False)
        first = (await listed(client, USER))[0]
        changed = (await update(client, update_of(first.id, ["text"], text="a cello"))).memory
        # Refused while a server could write vectors of the former embedder.
        output = await run_command("reembed", environment=environment, status=1)
        assert "stop all servers first" in output
    await offline.stop()

    # One batch of 200 is done, in two requests, and the quota is used up during the next.
    gemini.fail("batchEmbedContents", answer_normally, times=2)
    gemini.fail("batchEmbedContents", gemini_faults.quota(3600), times=100)
    await run_command("reembed", environment=environment, status=1)
    refused = await run_command("serve", environment=home.environment, status=1)
    assert "python -m server reembed" in refused
    gemini.reset()
    await run_command("reembed", environment=environment)
    requests = gemini.calls("batchEmbedContents")
    # Each memory once for the present and once for the past, and one more text that was changed.
    assert sum(len(call.body["requests"]) for call in requests) == 2 * MEMORIES + 1 - 200

    online = home.server(**models)
    await online.start()
    async with connected(online.address, key) as client:
        assert (await found(client, "a cello"))[0] == "a cello"
        assert (await found(client, first.text, as_of=first.update_time))[0] == first.text
        assert first.text not in await found(client, first.text, top_k=100)
        assert changed.version == 2
    await online.stop()
