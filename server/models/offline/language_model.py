"""Inference without a model: facts are taken from plain English clauses by rules of grammar.

It keeps what speakers assert about themselves, their people and things, one fact a memory, in the
third person where that is safe and as something said where it is not. What stands under a verb of
saying, thinking or pretending, in a condition, a question, a quotation or another's text is not
asserted and is left out, as are remarks, courtesies and requests. Sentences of other languages are
kept as they stand. In doubt nothing is stored and nothing is changed. Earlier messages say whom a
pronoun means, and nothing else. Custom instructions are not followed: there is nothing that could
read them. The same request always has the same answer.
"""

from __future__ import annotations

import asyncio

from server.core.request_context import current_request
from server.memories.add.inference import InferenceAnswer, InferenceRequest
from server.models.offline.extraction import Extraction
from server.telemetry.recording import model_call

# 1,000 characters take about a millisecond; longer conversations should not hold up the event loop.
_THREAD_FROM_CHARACTERS = 8_192

_VERSION = "extractive-2"


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
