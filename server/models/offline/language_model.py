"""The offline language model, which extracts facts from plain English by rules of grammar."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from server.core.request_context import current_request
from server.memories.add.inference import InferenceAnswer, InferenceRequest
from server.models.offline.extraction import Extraction
from server.models.ports import RerankFailed
from server.telemetry.recording import model_call

# 1,000 characters take about a millisecond; longer conversations should not block the event loop.
_THREAD_FROM_CHARACTERS = 8_192

_VERSION = "extractive-2"


class OfflineLanguageModel:
    """A deterministic extractor of facts that replaces a language model."""

    @property
    def model(self) -> str:
        """The model's name with its provider."""
        return f"offline/{_VERSION}"

    async def infer(self, request: InferenceRequest) -> InferenceAnswer:
        """Returns the facts in the messages, and their changes of the candidates.

        Raises:
            DeadlineExceeded: the call's deadline passed before the work began.
        """
        current_request().remaining()
        extraction = Extraction(request)
        characters = sum(len(message.content or "") for message in request.messages)
        with model_call(self.model, "generate_content"):
            if characters < _THREAD_FROM_CHARACTERS:
                operations = extraction.run()
            else:
                operations = await asyncio.to_thread(extraction.run)
        return InferenceAnswer(operations, model=self.model, prompt_version=_VERSION)


class OfflineReranker:
    """Implements `server.models.ports.Reranker` without reranking."""

    @property
    def model(self) -> str:
        """The model's name with its provider."""
        return "offline/none"

    async def rerank(self, question: str, texts: Sequence[str]) -> list[float]:
        """Always refuses.

        Raises:
            RerankFailed: always.
        """
        del question, texts
        raise RerankFailed("the offline models do not rerank")
