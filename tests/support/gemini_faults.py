"""Faults of the Gemini API, for `GeminiEndpoint.fail`."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

Json = dict[str, Any]
Fault = Callable[[web.Request, Json], Awaitable[web.StreamResponse]]
"""Answers a request, given the healthy answer."""

_DRIP_SECONDS = 0.02

STOPPING: web.AppKey[asyncio.Event] = web.AppKey("stopping", asyncio.Event)


def status(
    code: int,
    word: str = "",
    *,
    retry_after: float | None = None,
    reason: str = "",
    message: str = "made to fail",
) -> Fault:
    """Answers an HTTP error with a google.rpc.Status, and with RetryInfo and ErrorInfo if given."""
    details: list[Json] = []
    if retry_after is not None:
        kind = "type.googleapis.com/google.rpc.RetryInfo"
        details.append({"@type": kind, "retryDelay": f"{retry_after}s"})
    if reason:
        details.append({"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason})
    error = {"code": code, "message": message, "status": word, "details": details}

    async def answer(request: web.Request, healthy: Json) -> web.StreamResponse:
        return web.json_response({"error": error}, status=code)

    return answer


def quota(retry_after: float | None = None) -> Fault:
    """Answers 429: the quota is used up."""
    return status(429, "RESOURCE_EXHAUSTED", retry_after=retry_after)


async def hang(request: web.Request, healthy: Json) -> web.StreamResponse:
    """Does not answer until the endpoint stops."""
    await request.app[STOPPING].wait()
    return web.Response(status=503)


async def drip(request: web.Request, healthy: Json) -> web.StreamResponse:
    """Sends an endless body with short pauses, so that no timeout between bytes fires."""
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(request)
    while request.transport and not request.app[STOPPING].is_set():
        await response.write(b" ")
        await asyncio.sleep(_DRIP_SECONDS)
    return response


async def reset(request: web.Request, healthy: Json) -> web.StreamResponse:
    """Closes the connection after half of the body."""
    body = json.dumps(healthy).encode()
    response = web.StreamResponse(headers={"Content-Length": str(len(body))})
    await response.prepare(request)
    await response.write(body[: len(body) // 2])
    if request.transport:
        request.transport.abort()
    return response


def body(text: str) -> Fault:
    """Answers 200 with this text as the body."""

    async def answer(request: web.Request, healthy: Json) -> web.StreamResponse:
        return web.Response(text=text, content_type="application/json")

    return answer


async def truncated_json(request: web.Request, healthy: Json) -> web.StreamResponse:
    """Answers 200 with half of a JSON document."""
    text = json.dumps(healthy)
    return web.Response(text=text[: len(text) // 2], content_type="application/json")


async def wrong_count(request: web.Request, healthy: Json) -> web.StreamResponse:
    """Answers one embedding less than requested."""
    return web.json_response({**healthy, "embeddings": healthy["embeddings"][:-1]})


async def wrong_dimension(request: web.Request, healthy: Json) -> web.StreamResponse:
    """Answers embeddings with one number less than requested."""
    return _with_values(healthy, lambda values: values[:-1])


async def not_a_number(request: web.Request, healthy: Json) -> web.StreamResponse:
    """Answers embeddings that begin with NaN, which is not JSON."""
    return _with_values(healthy, lambda values: [float("nan"), *values[1:]])


async def zeros(request: web.Request, healthy: Json) -> web.StreamResponse:
    """Answers embeddings of zeros."""
    return _with_values(healthy, lambda values: [0.0] * len(values))


async def blocked_prompt(request: web.Request, healthy: Json) -> web.StreamResponse:
    """Answers that the prompt was blocked."""
    feedback = {"blockReason": "PROHIBITED_CONTENT"}
    return web.json_response({"promptFeedback": feedback, "usageMetadata": {"promptTokenCount": 9}})


def finished(reason: str) -> Fault:
    """Answers half of the text and this finish reason."""

    async def answer(request: web.Request, healthy: Json) -> web.StreamResponse:
        text = healthy["candidates"][0]["content"]["parts"][0]["text"]
        content = {"role": "model", "parts": [{"text": text[: len(text) // 2]}]}
        return web.json_response({"candidates": [{"content": content, "finishReason": reason}]})

    return answer


safety = finished("SAFETY")
max_tokens = finished("MAX_TOKENS")


async def no_candidates(request: web.Request, healthy: Json) -> web.StreamResponse:
    """Answers without a candidate."""
    return web.json_response({**healthy, "candidates": []})


async def no_text(request: web.Request, healthy: Json) -> web.StreamResponse:
    """Answers a candidate without text."""
    candidate = {"content": {"role": "model"}, "finishReason": "STOP"}
    return web.json_response({**healthy, "candidates": [candidate]})


def _with_values(healthy: Json, change: Callable[[list[float]], list[float]]) -> web.Response:
    embeddings = [{"values": change(entry["values"])} for entry in healthy["embeddings"]]
    return web.json_response({**healthy, "embeddings": embeddings})
