"""What a checked answer consists of: the operations of a plan."""

from __future__ import annotations

from dataclasses import dataclass

from server.domain.graph import Entity, Relation
from server.domain.inference import Candidate
from server.domain.notices import Notice
from server.domain.planning_text import Passage


@dataclass(frozen=True, slots=True)
class AddFact:
    """A fact to remember.

    `message_index` is the place, from 0, of the message that shows it; `quote` is a passage of
    that message, character for character.
    """

    text: str
    message_index: int
    quote: str
    categories: tuple[str, ...] = ()
    entities: tuple[Entity, ...] = ()
    relations: tuple[Relation, ...] = ()


@dataclass(frozen=True, slots=True)
class UpdateFact:
    """A memory whose text becomes another one. The other fields are those of `AddFact`."""

    candidate: Candidate
    text: str
    message_index: int
    quote: str
    categories: tuple[str, ...] = ()
    entities: tuple[Entity, ...] = ()
    relations: tuple[Relation, ...] = ()


@dataclass(frozen=True, slots=True)
class DeleteFact:
    """A memory to delete, and the passage that says so."""

    candidate: Candidate
    message_index: int
    quote: str


PlannedOperation = AddFact | UpdateFact | DeleteFact


@dataclass(frozen=True, slots=True)
class PlanLimits:
    """How much one answer may do. `max_deletions` bounds its updates and deletions together."""

    max_deletions: int = 5


@dataclass(frozen=True, slots=True)
class Plan:
    """The operations to carry out, in the answer's order.

    No two share a candidate, and no two leave behind the same fact. `dropped` says, for the log,
    which proposals were left out and why; it may hold text of the model. `notices` says it to the
    client. `forget_requests` are the passages that ask to forget something, whether or not it is
    held: nothing is made of them, neither a memory nor anything else that a search can find.
    `evidence` are the passages that the operations rest on, and those that come to nothing.
    """

    operations: tuple[PlannedOperation, ...]
    dropped: tuple[str, ...] = ()
    notices: tuple[Notice, ...] = ()
    forget_requests: tuple[Passage, ...] = ()
    evidence: tuple[Passage, ...] = ()
