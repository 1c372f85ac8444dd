"""Makes the pictures in docs/images from a live server under load.

    make screenshots

The server, its databases and the browser are its own and end with it. It takes about a minute.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from io import StringIO
from itertools import count
from pathlib import Path

import grpc
import uvloop
from google.protobuf.duration_pb2 import Duration
from memoir.v1 import memory_pb2, memory_service_pb2, memory_service_pb2_grpc
from memoir.v1 import statistics_service_pb2 as statistics_pb
from memoir.v1.statistics_service_pb2_grpc import StatisticsServiceStub
from rich.console import Console

from benchmarks.running import prepared
from benchmarks.servers import PROJECT, ROOT, serving
from benchmarks.stores import databases
from benchmarks.worlds import CITY, COMPANY, FIRST, LAST
from server.cli.top_view import TopView
from server.embedded.ports import free_port
from tests.support.browser import Tab, browser, browsing, find_chromium

IMAGES = ROOT / "docs" / "images"
SECONDS = 40
CALLERS = 3
WIDTH, TERMINAL = 1280, 1040
COLUMNS = 104
# Shares of all calls, of the adds and of the searches.
ADDS, LATER_ADDS, WRONG_SEARCHES = 0.5, 0.3, 0.02

STORY = (
    "I'm Alice. I work at Acme as a designer. I live in Lisbon.",
    "My sister Ana lives in Porto. My brother Rui works at Globex.",
    "My friend Bela lives in Lisbon and works at Acme.",
    "Ana works at Initech. I love hiking. I'm allergic to peanuts.",
    "My boss Carla lives in Sintra and works at Acme.",
    "Rui is married to Dana. Dana works at Initech and lives in Porto.",
    "My neighbour Edvin works at Globex and lives in Lisbon.",
)
LATER = "I now work at Globex as a designer. I am no longer allergic to peanuts."
QUESTION = "Who works at Globex?"
HAS_CHANGED = "now works at Globex"

_WEB_FONTS = re.compile(r"@font-face\s*\{.*?\}", re.DOTALL)


@dataclass(frozen=True)
class Caller:
    """Calls of the project."""

    memories: memory_service_pb2_grpc.MemoryServiceAsyncStub
    metadata: tuple[tuple[str, str], ...]

    async def add(self, user: str, text: str, *, later: bool = False) -> None:
        """Adds what is inferred from a message, now or by an operation."""
        request = memory_service_pb2.AddMemoriesRequest(
            user_id=user,
            async_mode=later,
            output_format="v1.1",
            messages=[memory_pb2.Message(role="user", content=text)],
        )
        await self.memories.AddMemories(request, metadata=self.metadata)

    async def search(self, user: str, query: str) -> None:
        """Searches a user's memories; an empty question is refused."""
        request = memory_service_pb2.SearchMemoriesRequest(user_id=user, query=query)
        with suppress(grpc.aio.AioRpcError):
            await self.memories.SearchMemories(request, metadata=self.metadata)


async def work(caller: Caller, chance: random.Random) -> None:
    """Adds and searches as people would, in waves, until it is cancelled."""
    for number in count():
        user = f"user-{chance.randrange(40)}"
        person, company = f"{chance.choice(FIRST)} {chance.choice(LAST)}", chance.choice(COMPANY)
        text = f"{person} lives in {chance.choice(CITY)} and works at {company}."
        if chance.random() < ADDS:
            await caller.add(user, text, later=chance.random() < LATER_ADDS)
        else:
            is_wrong = chance.random() < WRONG_SEARCHES
            await caller.search(user, "" if is_wrong else f"Who works at {company}?")
        await asyncio.sleep(0.02 + 0.04 * (number // 60 % 3) + 0.03 * chance.random())


async def picture_of_top(channel: grpc.aio.Channel, caller: Caller, address: str) -> str:
    """An SVG of `python -m server top` after it has watched the load for a while."""
    request = statistics_pb.WatchStatisticsRequest(interval=Duration(seconds=1))
    stream = StatisticsServiceStub(channel).WatchStatistics(request, metadata=caller.metadata)
    view, seen = TopView(), 0
    async for answer in stream:
        view.update(answer.statistics)
        seen += 1
        if seen == SECONDS:
            break
    stream.cancel()
    console = Console(record=True, file=StringIO(), width=COLUMNS, force_terminal=True)
    console.print(view.render(f"Memoir at {address}"))
    return _WEB_FONTS.sub("", console.export_svg(title="python -m server top"))


async def shoot(tab: Tab, name: str) -> None:
    """Takes a picture of all that the tab shows."""
    await resize(tab, 1)
    await resize(tab, await tab.evaluate("document.documentElement.scrollHeight"))
    await tab.screenshot(IMAGES / f"{name}.png")


async def resize(tab: Tab, height: int, width: int = WIDTH) -> None:
    """Gives the window another size."""
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
    await tab.send("Emulation.setDeviceMetricsOverride", **metrics)


async def pictures_of_page(endpoint: str, url: str, key: str) -> None:
    """The page's views, as somebody who opens them after each other sees them."""
    async with browsing(endpoint, url) as tab:
        await resize(tab, 900)
        await tab.fill("#key", key)
        await tab.click("#login button")
        await tab.until("document.querySelectorAll('.charts canvas').length === 3")
        await asyncio.sleep(SECONDS)
        await shoot(tab, "page-statistics")
        await picture_of_search(tab)
        await picture_of_graph(tab)


async def picture_of_search(tab: Tab) -> None:
    """A search that is explained, and the history of the memory that it finds first."""
    await tab.click("#tab-search")
    await tab.fill("#search-id", "alice")
    await tab.fill("#query", QUESTION)
    await tab.fill("#top-k", "5")
    await tab.click("#search-form button")
    await tab.until("document.querySelector('#results .result')")
    await shoot(tab, "page-search")
    results = "[...document.querySelectorAll('.result')]"
    changed = f"{results}.find((each) => each.innerText.includes({json.dumps(HAS_CHANGED)}))"
    await tab.evaluate(f"{changed}.querySelector('.link').click()")
    await tab.until("document.querySelector('#memory').open")
    await shoot(tab, "page-history")
    await tab.click("#memory button")


async def picture_of_graph(tab: Tab) -> None:
    """The entities of a user, one of them chosen."""
    await tab.click("#tab-graph")
    await tab.fill("#graph-id", "alice")
    await tab.click("#graph-form button")
    await tab.until("document.querySelector('#canvas canvas')")
    await tab.evaluate(
        "document.querySelector('#entities').value = 'Globex',"
        "document.querySelector('#entities').dispatchEvent(new Event('change'))"
    )
    await tab.until("document.querySelector('#entity [aria-label=Memories] .link')")
    await shoot(tab, "page-graph")


@asynccontextmanager
async def served(folder: Path) -> AsyncIterator[tuple[str, str, str]]:
    """A server with a page: its address, the page's, and a key."""
    page = free_port()
    async with databases() as (dsn, graph):
        variables = {
            "MEMOIR_NEO4J_URI": graph.uri,
            "MEMOIR_NEO4J_USER": graph.user,
            "MEMOIR_NEO4J_PASSWORD": graph.password,
            "MEMOIR_PAGE_PORT": str(page),
        }
        async with (
            prepared(dsn, PROJECT, **variables) as (environment, key),
            serving(
                "-m", "server", "serve", environment=environment, log=folder / "log"
            ) as address,
        ):
            yield address, f"http://127.0.0.1:{page}/", key


async def told(caller: Caller, story: Sequence[str]) -> None:
    """Tells the story of alice."""
    for text in story:
        await caller.add("alice", text)


async def main() -> None:
    """Makes all pictures."""
    if find_chromium() is None:
        sys.exit("Chromium is missing: run `make chromium` as root.")
    IMAGES.mkdir(exist_ok=True)
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="memoir-pictures-")))
        address, url, key = await stack.enter_async_context(served(folder))
        channel = await stack.enter_async_context(grpc.aio.insecure_channel(address))
        endpoint = await stack.enter_async_context(browser(folder / "profile"))
        stub = memory_service_pb2_grpc.MemoryServiceStub(channel)
        caller = Caller(stub, (("authorization", f"Token {key}"),))
        await told(caller, (*STORY, LATER))
        chances = [random.Random(number) for number in range(CALLERS)]  # noqa: S311
        load = [asyncio.create_task(work(caller, chance)) for chance in chances]
        top, _ = await asyncio.gather(
            picture_of_top(channel, caller, address), pictures_of_page(endpoint, url, key)
        )
        for task in load:
            task.cancel()
        await asyncio.wait(load)
        await picture_of_svg(endpoint, top, folder / "top.svg")


async def picture_of_svg(endpoint: str, svg: str, path: Path) -> None:
    """Draws an SVG as the PNG of its name."""
    await asyncio.to_thread(path.write_text, svg, encoding="utf-8")
    async with browsing(endpoint, path.as_uri()) as tab:
        box = "document.documentElement.viewBox.baseVal"
        height = await tab.evaluate(f"Math.ceil({TERMINAL} * {box}.height / {box}.width)")
        await resize(tab, height, TERMINAL)
        await tab.screenshot(IMAGES / f"{path.stem}.png")


if __name__ == "__main__":
    uvloop.run(main())
