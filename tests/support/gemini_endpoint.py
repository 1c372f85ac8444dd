"""A local HTTP endpoint with the part of the Gemini API that the real client needs.

`python -m tests.support.gemini_endpoint --port 8089` prints its URL and serves until interrupted.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections import defaultdict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Self

from aiohttp import web

from tests.support import gemini_brain
from tests.support.gemini_faults import STOPPING, Fault, Json, status
from tests.support.gemini_vectors import embedding

METHODS = ("embedContent", "batchEmbedContents", "generateContent")
_MAX_BATCH = 100
_DEFAULT_DIMENSIONS = 3072
_MAX_BODY_BYTES = 64 << 20

Brain = Callable[[Json], Json]


@dataclass(frozen=True, slots=True)
class RecordedRequest:
    """A request as it arrived; header names in lower case, `time` on `time.monotonic()`."""

    method: str
    model: str
    path: str
    headers: Mapping[str, str]
    body: Json
    time: float


class GeminiEndpoint:
    """`async with GeminiEndpoint() as endpoint:` serves on a free loopback port.

    Embeddings are deterministic. generateContent returns the answers queued by `answer`, then
    those of `brain`.
    """

    def __init__(self, *, port: int = 0, brain: Brain = gemini_brain.answer) -> None:
        self._port = port
        self._brain = brain
        self._answers: deque[str] = deque()
        self._faults: defaultdict[str, deque[Fault]] = defaultdict(deque)
        self._runner: web.AppRunner | None = None
        self.requests: list[RecordedRequest] = []

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=_MAX_BODY_BYTES)
        app[STOPPING] = asyncio.Event()
        methods = "|".join(METHODS)
        app.router.add_post(
            f"/{{version:v1|v1beta}}/models/{{model}}:{{method:{methods}}}", self._handle
        )
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._port).start()
        self._port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._runner:
            self._runner.app[STOPPING].set()
            await self._runner.cleanup()

    @property
    def base_url(self) -> str:
        """The URL for the client."""
        return f"http://127.0.0.1:{self._port}"

    def calls(self, method: str) -> list[RecordedRequest]:
        """Returns the requests to one method, such as `generateContent`, in order."""
        return [request for request in self.requests if request.method == method]

    def answer(self, answer: Json | str) -> None:
        """Queues the answer to one generateContent: an object as JSON, or a text verbatim.

        A request that is made to fail does not consume it.
        """
        self._answers.append(answer if isinstance(answer, str) else json.dumps(answer))

    def fail(self, method: str, fault: Fault, times: int = 1) -> None:
        """Makes `times` more requests to `method` fail."""
        if method not in METHODS:
            raise ValueError(f"no such method: {method}")
        self._faults[method].extend([fault] * times)

    def reset(self) -> None:
        """Forgets requests, faults and queued answers."""
        self.requests.clear()
        self._faults.clear()
        self._answers.clear()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        recorded = RecordedRequest(
            method=request.match_info["method"],
            model=request.match_info["model"],
            path=request.path,
            headers={name.lower(): value for name, value in request.headers.items()},
            body=await request.json(),
            time=time.monotonic(),
        )
        self.requests.append(recorded)
        if not recorded.headers.get("x-goog-api-key"):
            refusal = status(403, "PERMISSION_DENIED", reason="API_KEY_MISSING")
            return await refusal(request, {})
        healthy = self._respond(recorded)
        if healthy is None:
            return await status(400, "INVALID_ARGUMENT")(request, {})
        faults = self._faults[recorded.method]
        if faults:
            return await faults.popleft()(request, healthy)
        if recorded.method == "generateContent" and self._answers:
            self._answers.popleft()
        return web.json_response(healthy)

    def _respond(self, recorded: RecordedRequest) -> Json | None:
        """Returns the healthy answer, or None if the real API would refuse the request."""
        if recorded.method == "generateContent":
            return self._generated(recorded)
        if recorded.method == "embedContent":
            return {"embedding": _embedding(recorded.body)}
        entries = recorded.body.get("requests", [])
        if not 0 < len(entries) <= _MAX_BATCH:
            return None
        return {"embeddings": [_embedding(entry) for entry in entries]}

    def _generated(self, recorded: RecordedRequest) -> Json:
        said = self._answers[0] if self._answers else json.dumps(self._brain(recorded.body))
        tokens = {
            "promptTokenCount": len(json.dumps(recorded.body)) // 4,
            "candidatesTokenCount": len(said) // 4,
        }
        return {
            "candidates": [
                {
                    "content": {"role": "model", "parts": [{"text": said}]},
                    "finishReason": "STOP",
                    "index": 0,
                }
            ],
            "usageMetadata": {**tokens, "totalTokenCount": sum(tokens.values())},
            "modelVersion": recorded.model,
        }


def _embedding(entry: Json) -> Json:
    text = "\n".join(part.get("text", "") for part in entry["content"]["parts"])
    return {"values": embedding(text, entry.get("outputDimensionality", _DEFAULT_DIMENSIONS))}


async def _serve(port: int) -> None:
    async with GeminiEndpoint(port=port) as endpoint:
        sys.stdout.write(f"{endpoint.base_url}\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


def main() -> None:
    """Serves until interrupted."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, default=0, help="0 chooses a free port")
    try:
        asyncio.run(_serve(parser.parse_args().port))
    except KeyboardInterrupt:
        return


if __name__ == "__main__":
    main()
