"""Inference without a model: facts are extracted from sentences by rules of English.

It keeps what users state about themselves, their people and things in plain declarative sentences,
and what an assistant says it is or has done. Questions, requests, courtesies, remarks, hypotheses,
and all other talk of assistants and tools are left out. Sentences of other languages are kept as
they are, as something said. Earlier messages say whom a pronoun means, and nothing else. Custom
instructions are not followed: there is nothing that could read them. The same request always has
the same answer.
"""

from __future__ import annotations

import asyncio

from server.adapters.offline.extraction import Extraction
from server.domain.inference import InferenceAnswer, InferenceRequest
from server.domain.request_context import current_request
from server.telemetry.recording import model_call

# 1,000 characters take about a millisecond; longer conversations should not hold up the event loop.
_THREAD_FROM_CHARACTERS = 8_192

_VERSION = "extractive-1"


class OfflineLanguageModel:
    """A deterministic extractor of facts, in the place of a language model."""

    @property
    def model(self) -> str:
        """The model's name with its provider."""
        return f"offline/{_VERSION}"

    async def infer(self, request: InferenceRequest) -> InferenceAnswer:
        """The facts in the messages, and what they change among the candidates.

        Raises:
            DeadlineExceeded: the call's time was up before the work began.
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
