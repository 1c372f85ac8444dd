"""The web page in a real browser, and its gateway."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import aiohttp
import grpc
import pytest
import pytest_asyncio
from memoir.v1 import memory_service_pb2, statistics_service_pb2
from memoir.v1.statistics_service_pb2_grpc import StatisticsServiceStub

from scripts.browser import NoBrowser, Tab, browser, browsing
from tests.support.processes import eventually
from tests.support.server import Client, Home, ServerProcess, connected, key_of_new

_PAGE = re.compile(r"web page on (\S+)")
HOSTILE = "<script>window.stolen = 1</script><img src=x onerror='window.stolen = 1'>"
SHOWN = "!document.querySelector('nav').hidden"


@dataclass(frozen=True)
class Served:
    """A server that serves the page."""

    url: str
    client: Client

    async def add(
        self,
        text: str,
        *,
        infer: bool = True,
        user_id: str | None = "alice",
        agent_id: str | None = None,
    ) -> str:
        """Adds a memory and returns the consistency token."""
        request = memory_service_pb2.AddMemoriesRequest(
            infer=infer, user_id=user_id, agent_id=agent_id
        )
        request.messages.add(role="user", content=text)
        added = await self.client.memory.AddMemories(request, metadata=self.client.metadata)
        return added.consistency_token

    async def watch_statistics_once(self) -> None:
        """Closes the stream of statistics after its first answer."""
        request = statistics_service_pb2.WatchStatisticsRequest()
        stub = StatisticsServiceStub(self.client.channel)
        stream = stub.WatchStatistics(request, metadata=self.client.metadata)
        assert await stream.read() is not grpc.aio.EOF
        stream.cancel()

    async def post(
        self, method: str, body: object = None, **headers: str
    ) -> tuple[int, dict[str, Any]]:
        """The status of a call through the gateway, and its response or its error's details."""
        sent = {"authorization": f"Token {self.client.key}", **headers}
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{self.url}api/{method}", json=body or {}, headers=sent) as answer,
        ):
            answered: dict[str, Any] = await answer.json()
            return answer.status, answered if answer.ok else answered["details"]


async def page_of(process: ServerProcess) -> str:
    """The address that the server printed, which it does after that of gRPC."""

    def found() -> re.Match[str] | None:
        return _PAGE.search("".join(process.output))

    async def is_printed() -> bool:
        return found() is not None

    await eventually(is_printed, 30, "the address of the page")
    printed = found()
    assert printed is not None
    return printed[1]


@pytest_asyncio.fixture(scope="module")
async def page_server(shared_home: Home) -> AsyncIterator[ServerProcess]:
    """A server for all tests here. Each has a project of its own, which has its own statistics."""
    process = shared_home.server(MEMOIR_PAGE_PORT="0")
    await process.start()
    yield process
    await process.stop()


@pytest_asyncio.fixture(scope="module")
async def chromium(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    try:
        async with browser(tmp_path_factory.mktemp("profile")) as endpoint:
            yield endpoint
    except NoBrowser as reason:
        pytest.skip(str(reason))


@pytest.fixture
async def served(shared_home: Home, page_server: ServerProcess) -> AsyncIterator[Served]:
    async with connected(page_server.address, await key_of_new(shared_home)) as client:
        yield Served(await page_of(page_server), client)


@pytest.fixture
async def tab(served: Served, chromium: str) -> AsyncIterator[Tab]:
    async with browsing(chromium, served.url) as tab:
        yield tab
        assert tab.complaints == []


async def open_with(tab: Tab, key: str) -> None:
    await tab.fill("#key", key)
    await tab.click("#login button")


async def search(tab: Tab, query: str) -> None:
    await tab.click("#tab-search")
    await tab.until("document.querySelector('#search-id').value === 'alice'")
    await tab.fill("#query", query)
    await tab.click("#search-form button")
    await tab.until("document.querySelector('#results .result')")


async def test_statistics_move_with_what_happens(served: Served, tab: Tab) -> None:
    await open_with(tab, served.client.key)
    await tab.until(SHOWN)
    await tab.until("document.querySelectorAll('.charts canvas').length === 3")
    assert "AddMemories" not in await tab.text("#methods")
    await served.add("I work at Acme.")
    await tab.until("document.querySelector('#methods').innerText.includes('AddMemories')")
    await tab.until("document.querySelector('#figures dd').innerText !== '0'")
    assert "commit" in await tab.text("#stages")
    assert "offline/" in await tab.text("#models")


async def test_a_stream_that_was_closed_has_no_latency_and_is_no_fault(
    served: Served, tab: Tab
) -> None:
    await served.watch_statistics_once()
    await open_with(tab, served.client.key)
    rows = "[...document.querySelectorAll('#methods tr')]"
    row = f"{rows}.find((each) => each.innerText.includes('WatchStatistics'))"
    await tab.until(row)
    cells = await tab.evaluate(f"[...{row}.children].slice(1).map((each) => each.innerText)")
    assert cells == ["1", "0", *["\u2013"] * 3]


async def test_a_search_is_explained_and_leads_to_the_history(served: Served, tab: Tab) -> None:
    await served.add("I work at Acme.")
    await served.add("I love hiking.")
    await open_with(tab, served.client.key)
    await tab.until(SHOWN)
    await search(tab, "Where does Alice work?")
    assert "Acme" in await tab.text("#results .result .text")
    assert {"lexical", "dense"} <= set((await tab.text("#results .arms")).split())
    await tab.click("#results .link")
    await tab.until("document.querySelector('#memory').open")
    history = await tab.text("#events")
    assert "ADD version 1" in history
    assert "correlation id" in history


async def test_the_entities_of_a_user_are_drawn(served: Served, tab: Tab) -> None:
    token = await served.add("I work at Acme and I live in Oslo.")
    status, _ = await served.post(
        "GraphService/ListEntities", {"user_id": "alice", "consistency_token": token}
    )
    assert status == 200
    await open_with(tab, served.client.key)
    await tab.until(SHOWN)
    await tab.click("#tab-graph")
    await tab.until("document.querySelector('#graph-id').value === 'alice'")
    await tab.click("#graph-form button")
    await tab.until("document.querySelector('#canvas canvas')")
    names = "[...document.querySelectorAll('#entities option')].map((each) => each.text)"
    assert {"Acme (organization)", "Oslo (place)"} <= set(await tab.evaluate(names))
    await tab.choose("#entities", "Acme")
    await tab.until("document.querySelector('#entity [aria-label=Memories] .link')")
    assert "works_at" in await tab.text("#entity")
    assert "Acme" in await tab.text("#entity [aria-label=Memories]")


async def test_entities_of_one_name_in_two_graph_spaces_are_two(served: Served, tab: Tab) -> None:
    jobs = {"agent:helper": "nurse", "user:alice": "baker", "user:bob": "pilot"}
    token = ""
    for user, job in zip((None, "alice", "bob"), jobs.values(), strict=True):
        text = f"I work at Acme as a {job}."
        token = await served.add(text, user_id=user, agent_id="helper")
    await served.post(
        "GraphService/ListEntities", {"agent_id": "helper", "consistency_token": token}
    )
    await open_with(tab, served.client.key)
    await tab.until(SHOWN)
    await tab.click("#tab-graph")
    await tab.choose("#graph-kind", "agent")
    await tab.until("document.querySelector('#graph-id').value === 'helper'")
    await tab.click("#graph-form button")
    await tab.until("document.querySelector('#canvas canvas')")
    edges = "document.querySelector('#canvas')._cyreg.cy.edges('[relation = \"works_at\"]')"
    ends = await tab.evaluate(f"{edges}.map((edge) => [edge.source().id(), edge.target().id()])")
    assert sorted([json.loads(each)[0] for each in pair] for pair in ends) == [
        [space, space] for space in jobs
    ]
    for space, job in jobs.items():
        await tab.choose("#entities", f"Acme (organization) · {space}")
        await tab.until(f"document.querySelector('#entity').innerText.includes('{job}')")
        shown = await tab.text("#entity")
        assert [each for each in jobs.values() if each in shown] == [job]


async def test_hostile_text_stays_text(served: Served, tab: Tab) -> None:
    await served.add(HOSTILE, infer=False)
    await open_with(tab, served.client.key)
    await tab.until(SHOWN)
    await search(tab, "script")
    assert await tab.text("#results .text") == HOSTILE
    await tab.click("#results .link")
    await tab.until("document.querySelector('#memory').open")
    assert HOSTILE in await tab.text("#events")
    assert await tab.evaluate("window.stolen === undefined")
    assert await tab.evaluate("document.querySelectorAll('main img, dialog img').length") == 0


async def test_a_wrong_key_is_refused_with_its_reason(served: Served, tab: Tab) -> None:
    await open_with(tab, "mem_wrong")
    await tab.until("!document.querySelector('#fault').hidden")
    fault = await tab.text("#fault")
    assert fault.startswith("UNAUTHENTICATED")
    assert "ERROR_REASON_API_KEY_INVALID" in fault
    assert "correlation id" in fault
    assert await tab.evaluate("sessionStorage.length") == 0
    # The browser reports the status 401 by itself; nothing else may complain.
    assert all("401" in each for each in tab.complaints)
    tab.complaints.clear()


async def test_only_methods_that_read_pass(served: Served) -> None:
    for method in ("MemoryService/DeleteMemories", "MemoryService/AddMemories", "No/Such"):
        status, answer = await served.post(method, {"user_id": "alice"})
        assert (status, answer["code"]) == (501, "UNIMPLEMENTED")


async def test_errors_keep_their_details(served: Served) -> None:
    status, answer = await served.post(
        "MemoryService/SearchMemories", {"user_id": "alice"}, **{"x-correlation-id": "page-1"}
    )
    assert (status, answer["code"]) == (400, "INVALID_ARGUMENT")
    assert answer["correlation_id"] == "page-1"
    assert answer["violations"][0]["field"] == "query"


async def test_malformed_bodies_are_refused(served: Served) -> None:
    status, answer = await served.post("MemoryService/SearchMemories", {"no_such": 1})
    assert (status, answer["code"]) == (400, "INVALID_ARGUMENT")
    assert "no_such" in json.dumps(answer)


async def test_large_bodies_are_refused(served: Served) -> None:
    status, answer = await served.post("MemoryService/SearchMemories", {"query": "a" * 70_000})
    assert (status, answer["message"]) == (413, "the body is larger than 65536 bytes")


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", ""])
async def test_other_host_names_are_refused(served: Served, host: str) -> None:
    status, _ = await served.post("StatisticsService/GetStatistics", host=host)
    assert status == 403


async def test_forms_of_other_sites_are_refused(served: Served) -> None:
    async with (
        aiohttp.ClientSession() as session,
        session.post(
            f"{served.url}api/StatisticsService/GetStatistics",
            data=b"{}",
            headers={"content-type": "text/plain"},
        ) as answer,
    ):
        assert answer.status == 400


async def test_every_answer_is_protected(served: Served) -> None:
    async with aiohttp.ClientSession() as session:
        for path in ("", "static/page.js", "static/../gateway.py", "no-such"):
            async with session.get(served.url + path) as answer:
                assert "script-src 'self'" in answer.headers["content-security-policy"]
                assert answer.headers["x-content-type-options"] == "nosniff"
                assert "set-cookie" not in answer.headers
                assert (answer.status == 200) == (path in {"", "static/page.js"})
