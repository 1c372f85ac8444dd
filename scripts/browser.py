"""A real headless Chromium, driven by its DevTools protocol.

https://chromedevtools.github.io/devtools-protocol/
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import re
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import aiohttp

START_SECONDS = 60.0
WAIT_SECONDS = 30.0
POLL_SECONDS = 0.05
_LISTENING = re.compile(rb"DevTools listening on (ws://\S+)")
_COMPLAINTS = {"warning", "error"}


class PageFault(AssertionError):
    """An expression failed in the page, or the browser refused a command."""


class NoBrowser(RuntimeError):
    """There is no Chromium on the path."""


@dataclass
class Tab:
    """A page. `complaints` are the exceptions, errors and warnings in its console."""

    socket: aiohttp.ClientWebSocketResponse
    complaints: list[str] = field(default_factory=list)
    session: str | None = None
    _numbers: count[int] = field(default_factory=count)
    _answers: dict[int, asyncio.Future[dict[str, Any]]] = field(default_factory=dict)

    async def listen(self) -> None:
        """Receives messages of the browser until it closes."""
        async for message in self.socket:
            received = json.loads(message.data)
            if (answer := self._answers.pop(received.get("id", -1), None)) is not None:
                answer.set_result(received)
            elif _is_complaint(received):
                self.complaints.append(json.dumps(received["params"]))

    async def send(self, method: str, **parameters: object) -> dict[str, Any]:
        """Sends a command and returns its result.

        Raises:
            PageFault: the browser refused it.
        """
        number = next(self._numbers)
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        command: dict[str, object] = {"id": number, "method": method, "params": parameters}
        if self.session is not None:
            command["sessionId"] = self.session
        await self.socket.send_json(command)
        received = await asyncio.wait_for(answer, WAIT_SECONDS)
        if "error" in received:
            raise PageFault(f"{method}: {received['error']}")
        result: dict[str, Any] = received["result"]
        return result

    async def evaluate(self, expression: str) -> Any:
        """Returns the value of a JavaScript expression in the page.

        Raises:
            PageFault: the expression failed.
        """
        result = await self.send(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        if "exceptionDetails" in result:
            raise PageFault(f"{expression}: {result['exceptionDetails']}")
        return result["result"].get("value")

    async def until(self, expression: str) -> None:
        """Returns once the expression is true.

        Raises:
            PageFault: it stays false.
        """
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                # An element would be returned as an empty object. There is no event to wait for.
                while not await self.evaluate(f"Boolean({expression})"):  # noqa: ASYNC110
                    await asyncio.sleep(POLL_SECONDS)
        except TimeoutError:
            raise PageFault(f"{expression} stayed false for {WAIT_SECONDS:g} s") from None

    async def fill(self, selector: str, text: str) -> None:
        """Replaces the content of a field."""
        found = f"document.querySelector({json.dumps(selector)})"
        await self.evaluate(f"{found}.focus(), {found}.select?.()")
        await self.send("Input.insertText", text=text)
        # The command returns before the page has the text.
        await self.until(f"{found}.value === {json.dumps(text)}")

    async def click(self, selector: str) -> None:
        """Clicks the first element that the selector finds."""
        await self.evaluate(f"document.querySelector({json.dumps(selector)}).click()")

    async def choose(self, selector: str, beginning: str) -> None:
        """Chooses the first option of a list whose text has this beginning."""
        await self.evaluate(
            f"((list) => {{ list.value = [...list.options]"
            f".find(({{text}}) => text.startsWith({json.dumps(beginning)})).value;"
            f"list.dispatchEvent(new Event('change')) }})"
            f"(document.querySelector({json.dumps(selector)}))"
        )

    async def text(self, selector: str) -> str:
        """Returns the visible text of an element."""
        return str(await self.evaluate(f"document.querySelector({json.dumps(selector)}).innerText"))

    async def resize(self, width: int, height: int) -> None:
        """Sets the size of the page in CSS pixels, and hides its scroll bars."""
        await self.send(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )
        await self.send("Emulation.setScrollbarsHidden", hidden=True)

    async def screenshot(self, path: Path) -> None:
        """Writes a screenshot as a PNG."""
        shot = await self.send("Page.captureScreenshot", format="png")
        await asyncio.to_thread(path.write_bytes, base64.b64decode(shot["data"]))


def _is_complaint(event: dict[str, Any]) -> bool:
    """Whether the event is an exception, or an error or a warning in the log."""
    if event.get("method") == "Log.entryAdded":
        return event["params"]["entry"]["level"] in _COMPLAINTS
    return event.get("method") == "Runtime.exceptionThrown"


def find_chromium() -> str | None:
    """Returns the path of Debian's Chromium, or of another Chromium."""
    return shutil.which("chromium") or shutil.which("chromium-browser")


@asynccontextmanager
async def browser(profile: Path) -> AsyncIterator[str]:
    """Runs Chromium during the block, and yields the address of its DevTools.

    Raises:
        NoBrowser: there is no Chromium.
    """
    program = find_chromium()
    if program is None:
        raise NoBrowser("no Chromium on the path: install it (Debian: chromium)")
    process = await asyncio.create_subprocess_exec(
        program,
        *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"),
        *("--no-first-run", "--disable-extensions", "--disable-background-networking"),
        *("--no-proxy-server", "--window-size=1280,800", "--remote-debugging-port=0"),
        f"--user-data-dir={profile}",
        env={**os.environ, "HOME": str(profile)},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stderr is not None
        endpoint = await asyncio.wait_for(_endpoint(process.stderr), START_SECONDS)
        draining = asyncio.create_task(_drain(process.stderr))
        yield endpoint
        draining.cancel()
    finally:
        process.terminate()
        await process.wait()


async def _endpoint(stderr: asyncio.StreamReader) -> str:
    async for line in stderr:
        if found := _LISTENING.search(line):
            return found[1].decode()
    raise AssertionError("Chromium ended without listening")


async def _drain(stderr: asyncio.StreamReader) -> None:
    while await stderr.read(65536):
        pass


@asynccontextmanager
async def browsing(endpoint: str, url: str) -> AsyncIterator[Tab]:
    """Opens a tab with `url`, which shares no data with other tabs."""
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(endpoint, max_msg_size=0) as socket,
    ):
        tab = Tab(socket)
        listening = asyncio.create_task(tab.listen())
        context = await tab.send("Target.createBrowserContext", disposeOnDetach=True)
        target = await tab.send("Target.createTarget", url="about:blank", **context)
        attached = await tab.send(
            "Target.attachToTarget", targetId=target["targetId"], flatten=True
        )
        tab.session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            await tab.send(f"{domain}.enable")
        # Otherwise typed text is lost when the window loses the focus.
        await tab.send("Emulation.setFocusEmulationEnabled", enabled=True)
        await tab.send("Page.navigate", url=url)
        await tab.until("document.readyState === 'complete' && location.href !== 'about:blank'")
        try:
            yield tab
        finally:
            listening.cancel()
