"""An unusable answer is asked for once more, and only once."""

from __future__ import annotations

from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from server.core.errors import ExtractionFailed
from server.memories.add.inference import InferenceAnswer, InferenceRequest
from tests.support.fakes import FakeLanguageModel
from tests.support.inference import World, add

GOOD = [add("Likes tea")]
UNKNOWN_MESSAGE = [add("Likes tea", message=7)]
UNKNOWN_QUOTE = [add("Likes tea", quote="I adore tea")]


class Metered(FakeLanguageModel):
    """Every answer, usable or not, costs 100 input and 10 output tokens."""

    async def infer(self, request: InferenceRequest) -> InferenceAnswer:
        return replace(await super().infer(request), input_tokens=100, output_tokens=10)


@pytest.mark.parametrize(
    ("first", "problem"),
    [
        (UNKNOWN_MESSAGE, "operation 1: there is no message 7"),
        (UNKNOWN_QUOTE, "operation 1: its quote is not in the message"),
        (ExtractionFailed("m", "malformed", ["operations.0.text: missing"]), "text: missing"),
        (ExtractionFailed("m", "empty", ["no text"]), "no text"),
    ],
)
async def test_the_second_question_contains_the_problems(first: object, problem: str) -> None:
    world = World()
    world.model.script = [first]  # type: ignore[list-item] # one of both kinds
    with capture_logs() as logs:
        outcome = await world.add_messages(*GOOD)

    assert [change.text for change in outcome.changes] == ["Likes tea"]
    asked, again = world.model.requests
    assert asked.problems == ()
    assert problem in again.problems[0]
    assert replace(again, problems=()) == asked
    assert [log["event"] for log in logs if log["log_level"] == "warning"] == ["inference.repaired"]


async def test_the_model_is_not_asked_a_third_time() -> None:
    world = World()
    world.model.script = [UNKNOWN_MESSAGE, UNKNOWN_QUOTE]
    with pytest.raises(ExtractionFailed) as caught:
        await world.add_messages(*GOOD)
    assert caught.value.cause == "unsupported"
    assert len(world.model.requests) == 2
    assert world.store.change_sets == []


@pytest.mark.parametrize("cause", ["truncated", "blocked"])
async def test_an_error_that_would_recur_is_not_retried(cause: str) -> None:
    world = World()
    world.model.script = [ExtractionFailed("m", cause)]
    with pytest.raises(ExtractionFailed):
        await world.add_messages(*GOOD)
    assert len(world.model.requests) == 1


@pytest.mark.parametrize(
    ("first", "tokens"),
    [
        ([], (100, 10)),
        ([UNKNOWN_MESSAGE], (200, 20)),
        ([ExtractionFailed("m", "malformed", input_tokens=7, output_tokens=3)], (107, 13)),
    ],
)
async def test_the_tokens_of_all_answers_are_added_up(first: list[object], tokens: object) -> None:
    world = World(Metered())
    world.model.script = [*first]  # type: ignore[list-item] # of both kinds
    await world.add_messages(*GOOD)
    [changes] = world.store.change_sets
    assert (changes.call.input_tokens, changes.call.output_tokens) == tokens
