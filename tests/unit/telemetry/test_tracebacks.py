"""Tracebacks describe the failure without quoting texts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from server.telemetry.redaction import WITHHELD, private_traceback


def shown(fail: Callable[[], None]) -> str:
    with pytest.raises(BaseException) as caught:  # noqa: PT011 - of any kind
        fail()
    error = caught.value
    return private_traceback((type(error), error, error.__traceback__))


def fail_with_a_cause() -> None:
    try:
        raise ValueError("Alice is ill")
    except ValueError as error:
        raise RuntimeError("she really is") from error


def fail_while_handling_another() -> None:
    try:
        raise ValueError("Alice is ill")
    except ValueError:
        raise RuntimeError("she really is")  # noqa: B904 - the context is what is tested


def in_a_group() -> None:
    raise ExceptionGroup("Alice", [ValueError("she is ill"), KeyError("Bob")])


def in_a_circle() -> None:
    first, second = ValueError("Alice"), KeyError("Bob")
    first.__cause__, second.__cause__ = second, first
    raise first


@pytest.mark.parametrize(
    ("fail", "kinds"),
    [
        (fail_with_a_cause, ["ValueError", "RuntimeError"]),
        (fail_while_handling_another, ["ValueError", "RuntimeError"]),
        (in_a_group, ["ExceptionGroup", "ValueError", "KeyError"]),
        (in_a_circle, ["KeyError", "ValueError"]),
    ],
)
def test_exceptions_are_named_without_their_messages(
    fail: Callable[[], None], kinds: list[str]
) -> None:
    text = shown(fail)
    named = [line.partition(":")[0] for line in text.splitlines() if line.startswith("builtins.")]
    assert named == [f"builtins.{kind}" for kind in kinds]
    withheld = [line for line in text.splitlines() if line.endswith(WITHHELD)]
    assert len(withheld) == len(kinds)
    assert f"in {fail.__name__}" in text


def test_messages_about_the_program_are_kept() -> None:
    def fail() -> None:
        Path("/nowhere/at/all").read_bytes()

    assert "No such file or directory" in shown(fail)
