"""Proposals of a language model, and notices of what was left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from server.memories.add.inference import Candidate, InferenceRequest, ProposedOperation
from server.memories.add.quotes import clean_text


class NoticeReason(StrEnum):
    """Why something was left out. The values of `memoir.v1.NoticeReason`, without its prefix."""

    OPERATIONS_LIMIT = "OPERATIONS_LIMIT"
    DELETIONS_LIMIT = "DELETIONS_LIMIT"
    FORGET_UNMATCHED = "FORGET_UNMATCHED"
    NOT_OWN_TEXT = "NOT_OWN_TEXT"
    FILTERED = "FILTERED"
    NO_EVIDENCE = "NO_EVIDENCE"
    NOT_PERMITTED = "NOT_PERMITTED"
    IMMUTABLE = "IMMUTABLE"


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that was left out, and why. `text` is an English sentence for users."""

    reason: NoticeReason
    text: str


def counted(count: int, one: str, many: str) -> str:
    """Returns the number with the matching noun, such as `1 fact` or `3 facts`."""
    return f"{count} {one if count == 1 else many}"


MAX_OPERATIONS = 200
"""The maximum number of operations considered in one answer; later ones are left out."""

MAX_TEXT_LENGTH = 8192
"""The maximum length of a memory's text, in characters."""


class Action(StrEnum):
    """The action of a proposal."""

    ADD = "ADD"
    UPDATE = "UPDATE"
    DELETE = "DELETE"
    FORGET = "FORGET"

    @property
    def has_text(self) -> bool:
        """Whether the action results in a text."""
        return self in {Action.ADD, Action.UPDATE}


@dataclass(frozen=True, slots=True)
class Proposal:
    """A well-formed proposal: its action, numbers and text are valid.

    `number` is its place in the answer, from 1. `candidate` is None for ADD, and for a FORGET that
    matches no memory. `text` is empty if the action has none.
    """

    number: int
    action: Action
    text: str
    message_index: int
    candidate: Candidate | None
    operation: ProposedOperation


def read_proposals(
    request: InferenceRequest, operations: Sequence[ProposedOperation]
) -> tuple[list[Proposal], list[str]]:
    """Returns the proposals and all their problems; use the proposals only if there are none."""
    proposals: list[Proposal] = []
    problems: list[str] = []
    for number, operation in enumerate(operations, start=1):
        wrong = _problems(request, operation)
        problems += [f"operation {number}: {problem}" for problem in wrong]
        if not wrong:
            proposals.append(_proposal(request, number, operation))
    return proposals, problems


def _problems(request: InferenceRequest, operation: ProposedOperation) -> list[str]:
    action = _action(operation)
    if action is None:
        return [f"unknown action {operation.action[:40]!r}"]
    problems = []
    if not 1 <= operation.message <= len(request.messages):
        problems.append(f"there is no message {operation.message}")
    if action is not Action.ADD:
        problems += _target_problems(request, operation, action)
    if action.has_text:
        problems += _text_problems(clean_text(operation.text))
    return problems


def _target_problems(
    request: InferenceRequest, operation: ProposedOperation, action: Action
) -> list[str]:
    if operation.target is None:
        return [] if action is Action.FORGET else ["names no candidate"]
    if not 1 <= operation.target <= len(request.candidates):
        return [f"there is no candidate {operation.target}"]
    return []


def _text_problems(text: str) -> list[str]:
    if not text:
        return ["empty text"]
    if not any(map(str.isalnum, text)):
        return ["text without a word"]
    if len(text) > MAX_TEXT_LENGTH:
        return [f"text of {len(text)} characters, at most {MAX_TEXT_LENGTH} are allowed"]
    return []


def _proposal(request: InferenceRequest, number: int, operation: ProposedOperation) -> Proposal:
    action = _action(operation)
    assert action is not None
    target = None if action is Action.ADD else operation.target
    return Proposal(
        number=number,
        action=action,
        text=clean_text(operation.text) if action.has_text else "",
        message_index=operation.message - 1,
        candidate=None if target is None else request.candidates[target - 1],
        operation=operation,
    )


def _action(operation: ProposedOperation) -> Action | None:
    name = operation.action.strip().upper()
    return Action(name) if name in Action.__members__ else None
