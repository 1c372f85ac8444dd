"""Makes the pictures in docs/images from a busy server.

It starts a server with its own databases in a temporary folder, lets invented people talk to it for
a minute, and takes pictures of `top` and of the web page.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import os
import re
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc
from memoir.v1 import statistics_service_pb2
from memoir.v1.memory_service_pb2_grpc import MemoryServiceStub
from memoir.v1.statistics_service_pb2_grpc import StatisticsServiceStub
from rich.console import Console

from scripts.browser import NoBrowser, Tab, browser, browsing
from scripts.showcase import QUESTION, SHOWN_USER, Showcase
from server.cli.top_view import TopView

ROOT = Path(__file__).resolve().parents[1]
IMAGES = ROOT / "docs" / "images"
MOST_BYTES = 200_000
START_SECONDS = 120.0
GRAPH_SECONDS = 90.0
LOAD_SECONDS = 75.0
TOP_COLUMNS = 112
WIDTH = 1280

_PAGE = re.compile(r"web page on (\S+)")
_FONTS = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Running:
    """A running server: its addresses, and the key of its project."""

    page: str
    address: str
    key: str

    @property
    def metadata(self) -> tuple[tuple[str, str], ...]:
        """The metadata of every call."""
        return (("authorization", f"Token {self.key}"),)


async def main() -> None:
    """Runs the command. Ends with status 1 if a picture is too large."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--into", type=Path, default=IMAGES, help="folder (default: docs/images)")
    parser.add_argument("--seconds", type=float, default=LOAD_SECONDS, help="how long to work")
    arguments = parser.parse_args()
    arguments.into.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="memoir-screenshots-") as folder:
        async with serving(Path(folder)) as running:
            await take_all(running, arguments.into, Path(folder), arguments.seconds)
    for path in sorted(arguments.into.iterdir()):
        print(f"{path.name}: {path.stat().st_size // 1000} kB")
        if path.stat().st_size > MOST_BYTES:
            sys.exit(f"{path.name} is larger than {MOST_BYTES // 1000} kB")


@asynccontextmanager
async def serving(folder: Path) -> AsyncIterator[Running]:
    """Runs a server with its own databases, in the folder, during the block.

    Raises:
        RuntimeError: it ended before it served.
        TimeoutError: it, or its graph, took too long to start.
    """
    with (folder / "log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "server", "serve"),
            cwd=ROOT,
            env=_environment(folder / "data"),
            stdout=asyncio.subprocess.PIPE,
            stderr=log,
        )
    try:
        async with asyncio.timeout(START_SECONDS):
            page = await _page_of(process)
        at = json.loads((folder / "data" / "runtime.json").read_text(encoding="utf-8"))
        key = (folder / "data" / "development-key").read_text(encoding="utf-8").strip()
        running = Running(page, at["grpc_address"], key)
        await _wait_for_graph(running)
        yield running
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        await process.wait()


def _environment(data: Path) -> dict[str, str]:
    foreign = ("MEMOIR_", "GEMINI_", "GOOGLE_", "OTEL_")
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith(foreign)},
        "MEMOIR_DATA_DIR": str(data),
        "MEMOIR_GRPC_PORT": "0",
        "MEMOIR_PAGE_PORT": "0",
        "MEMOIR_MODELS": "offline",
        "PYTHONUNBUFFERED": "1",
    }


async def _page_of(process: asyncio.subprocess.Process) -> str:
    if process.stdout is not None:
        async for line in process.stdout:
            if found := _PAGE.search(line.decode()):
                return found[1]
    raise RuntimeError("the server ended before it served")


async def _wait_for_graph(running: Running) -> None:
    async with asyncio.timeout(GRAPH_SECONDS):
        async for statistics in watched(running):
            if statistics.graph.available:
                return


async def watched(running: Running) -> AsyncIterator[statistics_service_pb2.Statistics]:
    """Yields the project's statistics, as `top` gets them."""
    async with grpc.aio.insecure_channel(running.address) as channel:
        request = statistics_service_pb2.WatchStatisticsRequest()
        stub = StatisticsServiceStub(channel)
        async for answer in stub.WatchStatistics(request, metadata=running.metadata):
            yield answer.statistics


async def take_all(running: Running, into: Path, folder: Path, seconds: float) -> None:
    """Keeps the server busy for `seconds`, and then takes every picture."""
    view = TopView()
    async with (
        browser(folder / "profile") as endpoint,
        browsing(endpoint, running.page) as tab,
        grpc.aio.insecure_channel(running.address) as channel,
    ):
        following = asyncio.create_task(_follow(running, view))
        await tab.resize(WIDTH, WIDTH)
        await enter(tab, running.key)
        showcase = Showcase(MemoryServiceStub(channel), running.metadata)
        await showcase.play(seconds)
        following.cancel()
        (into / "top.svg").write_text(top_picture(view, running.address), encoding="utf-8")
        pictures: dict[str, tuple[int, Callable[[Tab], Awaitable[None]]]] = {
            "page-statistics.png": (936, show_statistics),
            "page-search.png": (700, show_search),
            "page-history.png": (520, show_history),
            "page-graph.png": (760, show_graph),
        }
        for name, (height, show) in pictures.items():
            await tab.resize(WIDTH, height)
            await show(tab)
            await tab.evaluate("document.activeElement.blur()")
            await tab.screenshot(into / name)


async def _follow(running: Running, view: TopView) -> None:
    async for statistics in watched(running):
        view.update(statistics)


def top_picture(view: TopView, address: str) -> str:
    """Returns what `top` draws, as an SVG that loads nothing."""
    console = Console(record=True, width=TOP_COLUMNS, file=io.StringIO(), force_terminal=True)
    console.print(view.render(f"Memoir at {address}"))
    drawn = console.export_svg(title="python -m server top", unique_id="top")
    return _FONTS.sub("", drawn)


async def enter(tab: Tab, key: str) -> None:
    """Signs in with the key."""
    await tab.fill("#key", key)
    await tab.click("#login button")
    await tab.until("!document.querySelector('nav').hidden")


async def show_statistics(tab: Tab) -> None:
    """Shows the statistics."""
    await tab.until("document.querySelectorAll('.charts canvas').length === 3")


async def show_search(tab: Tab) -> None:
    """Searches for a question of the person whose graph is shown."""
    await tab.click("#tab-search")
    await tab.until("document.querySelector('#search-ids option')")
    await tab.fill("#search-id", SHOWN_USER)
    await tab.fill("#query", QUESTION)
    await tab.click("#search-form button")
    await tab.until("document.querySelector('#results .result')")


async def show_history(tab: Tab) -> None:
    """Shows the history of a found memory that has changed."""
    await tab.evaluate(
        "[...document.querySelectorAll('#results .result')]"
        ".find((each) => each.innerText.includes('architect')).querySelector('.link').click()"
    )
    await tab.until("document.querySelector('#memory').open")


async def show_graph(tab: Tab) -> None:
    """Shows the graph of a person, with one of its entities chosen."""
    await tab.evaluate("document.querySelector('#memory').close()")
    await tab.click("#tab-graph")
    await tab.until("document.querySelector('#graph-ids option')")
    await tab.fill("#graph-id", SHOWN_USER)
    await tab.click("#graph-form button")
    await tab.until("document.querySelector('#canvas canvas')")
    await tab.choose("#entities", "Greywater")
    await tab.until("document.querySelector('#entity [aria-label=Memories] .link')")


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except NoBrowser as reason:
        sys.exit(str(reason))
