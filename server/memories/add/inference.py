"""The request to a language model and its answer.

The answer comes from an untrusted source: see `server.memories.add.plan` for how it is checked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from server.graph.model import Entity, Relation
from server.memories.conversation import Message, Role


@dataclass(frozen=True, slots=True)
class Category:
    """A category that inferred memories may carry."""

    name: str
    description: str = ""


BUILT_IN_CATEGORIES: tuple[Category, ...] = tuple(
    Category(name)
    for name in (
        "personal_details",
        "family",
        "professional_details",
        "sports",
        "travel",
        "food",
        "music",
        "health",
        "technology",
        "hobbies",
        "fashion",
        "entertainment",
        "milestones",
        "user_preferences",
        "misc",
    )
)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A memory of the scope that the new messages may repeat, change or contradict.

    `vector` is its embedding, L2-normalised. `entities` and `relations` are those that it states.
    `role` and `name` belong to the speaker of its evidence; a `role` of None means unknown.
    """

    id: UUID
    text: str
    version: int
    immutable: bool
    vector: Sequence[float] = field(default=(), repr=False)
    entities: Sequence[Entity] = ()
    relations: Sequence[Relation] = ()
    role: Role | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True)
class InferenceRequest:
    """The input of a language model.

    Messages and candidates are numbered from 1, and the answer refers to them only by number.
    `messages` include system messages, which give context but are no evidence. `problems` describe
    the faults of an earlier answer to the same request. `known_entities` are entities that the
    scope mentions, also numbered from 1.
    """

    messages: Sequence[Message]
    candidates: Sequence[Candidate]
    categories: Sequence[Category]
    event_time: datetime
    context: Sequence[Message] = ()
    instructions: Sequence[str] = ()
    includes: str | None = None
    excludes: str | None = None
    problems: Sequence[str] = ()
    known_entities: Sequence[Entity] = ()


@dataclass(frozen=True, slots=True)
class ProposedEntity:
    """An entity, as the model names it.

    `aliases` are other names that the text gives it; `known` is the number of the known entity that
    the model identifies it with.
    """

    name: str
    type: str = ""
    aliases: Sequence[str] = ()
    known: int | None = None


@dataclass(frozen=True, slots=True)
class ProposedRelation:
    """A relation, as the model names it."""

    source: str
    relation: str
    target: str


@dataclass(frozen=True, slots=True)
class ProposedOperation:
    """One change that the model proposes.

    `action` should be ADD, UPDATE, DELETE or FORGET; `target` is the number of a candidate (UPDATE,
    DELETE, FORGET); `message` is the number of the message that states the fact, and `quote` the
    passage. DELETE is for a fact that is no longer true according to a message, FORGET for a fact
    that the speaker asks to forget: one FORGET for each candidate that is meant, or one without
    `target` if none is.
    """

    action: str
    text: str
    message: int
    quote: str
    target: int | None = None
    categories: Sequence[str] = ()
    entities: Sequence[ProposedEntity] = ()
    relations: Sequence[ProposedRelation] = ()


@dataclass(frozen=True, slots=True)
class InferenceAnswer:
    """The model's proposals, unchecked, with the model's name and token counts."""

    operations: Sequence[ProposedOperation]
    model: str
    prompt_version: str
    input_tokens: int = 0
    output_tokens: int = 0
