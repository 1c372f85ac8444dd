"""Asking the language model what to change, and checking what it says."""

from __future__ import annotations

from dataclasses import replace

import structlog

from server.domain.errors import ExtractionFailed
from server.domain.inference import InferenceAnswer, InferenceRequest
from server.domain.planning import Plan, PlanLimits, plan
from server.ports.language_model import LanguageModel

# What a second answer can put right. One that was cut off would be cut off again, and one that was
# blocked be blocked again.
_REPAIRABLE = frozenset({"malformed", "empty", "invalid", "unsupported"})

log = structlog.get_logger()


async def propose(
    language_model: LanguageModel, request: InferenceRequest, limits: PlanLimits
) -> tuple[InferenceAnswer, Plan]:
    """The model's answer and the plan that it comes to; its tokens are those of all answers.

    An answer that cannot be used is asked for once more, with what was wrong with it.

    Raises:
        ExtractionFailed: the second answer cannot be used either, or there is no use in asking.
        ModelUnavailable, ModelQuotaExhausted, DeadlineExceeded: as `LanguageModel.infer`.
    """
    try:
        return await _ask(language_model, request, limits)
    except ExtractionFailed as failure:
        if failure.cause not in _REPAIRABLE:
            raise
        first = failure
    log.warning("inference.repaired", model=language_model.model, cause=first.cause)
    repeated = replace(request, problems=first.problems)
    answer, checked = await _ask(language_model, repeated, limits)
    total = replace(
        answer,
        input_tokens=answer.input_tokens + first.input_tokens,
        output_tokens=answer.output_tokens + first.output_tokens,
    )
    return total, checked


async def _ask(
    language_model: LanguageModel, request: InferenceRequest, limits: PlanLimits
) -> tuple[InferenceAnswer, Plan]:
    answer = await language_model.infer(request)
    try:
        return answer, plan(request, answer, limits)
    except ExtractionFailed as failure:
        raise ExtractionFailed(
            answer.model,
            failure.cause,
            failure.problems,
            input_tokens=answer.input_tokens,
            output_tokens=answer.output_tokens,
        ) from failure
