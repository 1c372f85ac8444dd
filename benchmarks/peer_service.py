"""mem0ai as a service, for comparison: `Memory` behind FastAPI, as in its own server.

It has no keys, request log or telemetry here, and models that answer at once, so this is a lower
bound of its cost. It runs in its own virtual environment; see peer.py.

    python benchmarks/peer_service.py DSN PORT
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
from functools import cache
from typing import Any

import numpy as np
import uvicorn
from fastapi import FastAPI
from mem0 import Memory
from mem0.configs.base import MemoryConfig
from mem0.utils import factory
from numpy.typing import NDArray

DIMENSIONS = 256
"""The same as in Memoir's built-in embedder."""

_WORD = re.compile(r"\w+")


@cache
def word_vector(word: str) -> NDArray[np.float64]:
    """Returns a direction that depends only on the word."""
    seed = int.from_bytes(hashlib.sha256(word.encode()).digest()[:8])
    return np.random.default_rng(seed).standard_normal(DIMENSIONS)


class Embedder:
    """Embeds texts as normalised sums of word vectors."""

    config = None

    def embed(self, text: str, *_action: Any, **_options: Any) -> list[float]:
        """One vector."""
        words = [word_vector(word) for word in _WORD.findall(text.lower())]
        total = np.sum(words, axis=0) if words else np.ones(DIMENSIONS)
        vector: list[float] = (total / np.linalg.norm(total)).tolist()
        return vector

    def embed_batch(self, texts: list[str], *_action: Any, **_options: Any) -> list[list[float]]:
        """Returns a vector for each text."""
        return [self.embed(text) for text in texts]


class LanguageModel:
    """Returns one fact for every conversation: its last line."""

    def generate_response(
        self, messages: list[dict[str, str]], *_format: Any, **_options: Any
    ) -> str:
        """Returns an answer in the format that mem0 expects."""
        text = messages[-1]["content"].strip().splitlines()[-1]
        return json.dumps({"memory": [{"id": "0", "text": text, "attributed_to": "user"}]})


def open_memory(dsn: str) -> Any:
    """Returns mem0 on PostgreSQL, with the models above instead of a provider's."""
    factory.EmbedderFactory.create = staticmethod(lambda *_, **__: Embedder())
    factory.LlmFactory.create = staticmethod(lambda *_, **__: LanguageModel())
    unused = {"provider": "openai", "config": {"api_key": "none"}}
    store = {
        "connection_string": dsn,
        "collection_name": "peer",
        "embedding_model_dims": DIMENSIONS,
        "hnsw": True,
        "maxconn": 20,
    }
    return Memory(
        MemoryConfig(
            vector_store={"provider": "pgvector", "config": store},
            llm=unused,
            embedder=unused,
            history_db_path=":memory:",
        )
    )


def build_app(memory: Any) -> Any:
    """Returns an app with the two compared calls."""

    def add(body: dict[str, Any]) -> Any:
        return memory.add(body["messages"], user_id=body["user_id"], infer=body["infer"])

    def search(body: dict[str, Any]) -> Any:
        return memory.search(body["query"], filters={"user_id": body["user_id"]}, top_k=10)

    app = FastAPI()
    app.post("/memories")(add)
    app.post("/search")(search)
    return app


def main() -> None:
    """Serves until it is killed; prints its address first."""
    app = build_app(open_memory(sys.argv[1]))
    port = int(sys.argv[2])
    sys.stdout.write(f"serving on 127.0.0.1:{port}\n")
    sys.stdout.flush()
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning")


if __name__ == "__main__":
    main()
