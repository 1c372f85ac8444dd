"""A stand-in for the Gemini API with configured latencies, which uses little processor time.

    python -m benchmarks.gemini [--port P] [--llm-ms N] [--embedding-ms N]

Every message becomes two facts with four entities and six relations. Embeddings are random, but
equal for equal texts.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import zlib
from collections.abc import Awaitable, Callable
from typing import Any, Final

import numpy as np
import uvloop
from aiohttp import web

Json = dict[str, Any]

_MAX_BODY_BYTES: Final = 64 << 20
_DIMENSIONS: Final = 768
_RELATIONS: Final = 3
# Vectors are slices of one long list of numbers, at a position that depends on the text.
_NUMBERS: Final = [f"{x:.8f}" for x in np.random.default_rng(7).normal(size=100_000)]


def message(number: int) -> str:
    """Returns the message of the caller with this number."""
    return (
        f"My colleague Tom{number} works at Acme{number % 50} in Lisbon. "
        f"My sister Ada{number} plays the violin in Oslo with Mia{number % 20}."
    )


def _embeddings(body: Json) -> str:
    vectors = []
    for entry in body["requests"]:
        text = entry["content"]["parts"][0]["text"]
        start = zlib.crc32(text.encode()) % (len(_NUMBERS) - _DIMENSIONS)
        values = ",".join(_NUMBERS[start : start + _DIMENSIONS])
        vectors.append(f'{{"values":[{values}]}}')
    return f'{{"embeddings":[{",".join(vectors)}]}}'


def _completion(body: Json) -> str:
    text = body["contents"][0]["parts"][0]["text"]
    data: Json = json.JSONDecoder().raw_decode(text, text.index("{"))[0]
    operations = [
        _operation(message["number"], sentence)
        for message in data["messages"]
        for sentence in _sentences(message["content"])
    ]
    said = json.dumps({"operations": operations})
    return json.dumps(
        {
            "candidates": [
                {"content": {"role": "model", "parts": [{"text": said}]}, "finishReason": "STOP"}
            ],
            "usageMetadata": {"promptTokenCount": len(text) // 4, "candidatesTokenCount": 300},
        }
    )


def _sentences(text: str) -> list[str]:
    return [f"{sentence.rstrip('.')}." for sentence in text.split(". ")]


def _operation(number: int, sentence: str) -> Json:
    """Returns an operation with the sentence as the fact and its capitalized words as names."""
    names = [word.rstrip(".") for word in sentence.split()[1:] if word[0].isupper()]
    first, *others = names
    relations = [(first, "knows", other) for other in others]
    relations.append((first, "is_close_to", "user"))
    while len(relations) < _RELATIONS:
        relations.append((others[0], f"relates_to_{len(relations)}", "user"))
    return {
        "message": number,
        "quote": sentence,
        "action": "ADD",
        "text": sentence,
        "categories": ["family"],
        "entities": [{"name": name, "type": "thing"} for name in (*names, "user")],
        "relations": [
            {"source": source, "relation": relation, "target": target}
            for source, relation, target in relations
        ],
    }


def _slow(
    answer: Callable[[Json], str], milliseconds: float
) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def handle(request: web.Request) -> web.Response:
        body = await request.json()
        if milliseconds:
            await asyncio.sleep(milliseconds / 1000)
        return web.Response(text=answer(body), content_type="application/json")

    return handle


async def main() -> None:
    """Serves until it is stopped."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gemini")
    parser.add_argument("--port", type=int, default=0, help="0 chooses a free port")
    parser.add_argument("--llm-ms", type=float, default=0, help="latency of generateContent")
    parser.add_argument("--embedding-ms", type=float, default=0, help="latency of embeddings")
    arguments = parser.parse_args()
    app = web.Application(client_max_size=_MAX_BODY_BYTES)
    generate = _slow(_completion, arguments.llm_ms)
    embed = _slow(_embeddings, arguments.embedding_ms)
    app.router.add_post("/v1beta/models/{model}:generateContent", generate)
    app.router.add_post("/v1beta/models/{model}:batchEmbedContents", embed)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", arguments.port, backlog=1024).start()
    sys.stdout.write(f"serving on 127.0.0.1:{runner.addresses[0][1]}\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(main())
