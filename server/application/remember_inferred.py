"""Adding with `infer=true`: a model proposes, its plan is checked, one commit carries it out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

import structlog

from server.application.add_memories import AddMemoriesCommand, AddMemoriesOutcome
from server.application.answer_bounds import require_receivable
from server.application.change_sets import Models, begin, outcome
from server.application.passages import MessagePart, message_parts, new_passages
from server.application.planned_changes import (
    carry_out,
    changes_of,
    without_near_duplicates,
)
from server.application.propose import propose
from server.application.scope_turns import ScopeTurns
from server.domain.conversation import Message, Role, spoken
from server.domain.entity_resolution import known_entities
from server.domain.errors import ConcurrentChange
from server.domain.indexed_text import embedded_text
from server.domain.inference import BUILT_IN_CATEGORIES, Candidate, Category, InferenceRequest
from server.domain.memory import today
from server.domain.planning import DEFAULT_LIMITS, PlanLimits
from server.domain.project import Project
from server.domain.values import Vector
from server.ports.clock import Clock
from server.ports.embedder import Embedder, EmbeddingPurpose
from server.ports.language_model import LanguageModel
from server.ports.memory_store import ChangeSet, Committed, MemoryStore
from server.ports.project_store import ProjectStore
from server.telemetry.recording import stage

CANDIDATES_AT_MOST = 20
CANDIDATES_PER_MESSAGE = 5
"""At least; a single message, which may be a long one, gets all."""
CONTEXT_MESSAGES = 10
KNOWN_ENTITIES_AT_MOST = 30

log = structlog.get_logger()


class RememberInferred:
    """Costs one language model call, at most two embedding batches and four round trips.

    The round trips take the scope's lease, read the project's settings and the candidates (and with
    `version` v2 the context) and write the result. No connection is held while a model works. A
    call that loses a race starts again once, and an answer that cannot be used is asked for once
    more.
    """

    def __init__(
        self,
        store: MemoryStore,
        projects: ProjectStore,
        embedder: Embedder,
        language_model: LanguageModel,
        clock: Clock,
        turns: ScopeTurns,
        limits: PlanLimits = DEFAULT_LIMITS,
    ) -> None:
        self._store = store
        self._projects = projects
        self._embedder = embedder
        self._language_model = language_model
        self._clock = clock
        self._turns = turns
        self._limits = limits

    async def __call__(self, command: AddMemoriesCommand) -> AddMemoriesOutcome:
        """Infers and stores.

        Raises:
            ExtractionFailed, AnswerTooLarge, ModelUnavailable, ModelQuotaExhausted,
            StoreUnavailable, RequestIdReused, ConcurrentChange: nothing was stored.
        """
        try:
            return await self._take_turn(command)
        except ConcurrentChange:
            # A lease ran out before the commit, or another kind of call changed what this one
            # rests on: decide again, on the state as it is now, but not for ever.
            log.info("inference.restarted")
            return await self._take_turn(command)

    async def _take_turn(self, command: AddMemoriesCommand) -> AddMemoriesOutcome:
        async with self._turns.take(command.project_id, command.scope.key()) as lease:
            return await self._remember(command, lease.holder)

    async def _remember(self, command: AddMemoriesCommand, lease: UUID) -> AddMemoriesOutcome:
        messages = spoken(command.messages)
        if all(message.role is Role.SYSTEM for message in messages):
            return await self._keep(command, messages, lease)
        project = await self._projects.get_project(command.project_id)
        parts = message_parts(messages) if _keeps_passages(command, project) else []
        compared, of_parts = await self._embedded(messages, parts)
        request = await self._request(command, messages, project, compared)
        with stage("infer"):
            answer, checked = await propose(self._language_model, request, self._limits)
        log.debug(
            "inference.planned",
            proposed=len(answer.operations),
            kept=len(checked.operations),
            candidates=len(request.candidates),
        )
        models = Models(
            self._embedder.model,
            answer.model,
            answer.prompt_version,
            answer.input_tokens,
            answer.output_tokens,
        )
        occasion = begin(command, messages, self._clock.now(), models, lease, checked.notices)
        planned = changes_of(checked)
        with stage("embed"):
            vectors = await self._embedder.embed(planned.texts, EmbeddingPurpose.DOCUMENT)
        planned, vectors = without_near_duplicates(
            planned, vectors, request.candidates, self._embedder.near_duplicate_similarity
        )
        changes = replace(
            carry_out(occasion, planned, vectors),
            passages=new_passages(occasion, parts, of_parts, checked) if parts else None,
            forget_requests=[request.text for request in checked.forget_requests],
        )
        stated = {candidate.id: candidate.relations for candidate in request.candidates}
        everything = frozenset(added.memory.id for added in changes.added)
        require_receivable(outcome(changes, Committed(everything, 0), planned.answers, stated))
        committed = await self._store.commit(changes)
        return outcome(changes, committed, planned.answers, stated)

    async def _keep(
        self, command: AddMemoriesCommand, messages: Sequence[Message], lease: UUID
    ) -> AddMemoriesOutcome:
        """Keeps messages of which no memory is ever made, without asking a model."""
        occasion = begin(command, messages, self._clock.now(), Models(self._embedder.model))
        changes = ChangeSet(occasion.call, occasion.messages, lease=lease)
        return outcome(changes, await self._store.commit(changes))

    async def _embedded(
        self, messages: Sequence[Message], parts: Sequence[MessagePart]
    ) -> tuple[list[Vector], list[Vector]]:
        """The vectors of the messages and of the parts, in one batch and each text once."""
        said = [
            embedded_text(message.content or "", message.name)
            for message in messages
            if message.role is not Role.SYSTEM
        ]
        in_parts = [part.text for part in parts]
        texts = list(dict.fromkeys([*said, *in_parts]))
        with stage("embed"):
            vectors = await self._embedder.embed(texts, EmbeddingPurpose.DOCUMENT)
        of_text = dict(zip(texts, vectors, strict=True))
        return [of_text[text] for text in said], [of_text[text] for text in in_parts]

    async def _request(
        self,
        command: AddMemoriesCommand,
        messages: Sequence[Message],
        project: Project | None,
        vectors: Sequence[Vector],
    ) -> InferenceRequest:
        candidates = await self._candidates(command, vectors)
        return InferenceRequest(
            messages=messages,
            candidates=candidates,
            categories=_categories(command, project),
            event_time=command.event_time or self._clock.now(),
            context=await self._context(command),
            instructions=_instructions(command, project),
            includes=command.includes,
            excludes=command.excludes,
            known_entities=known_entities(
                (entity for candidate in candidates for entity in candidate.entities),
                KNOWN_ENTITIES_AT_MOST,
            ),
        )

    async def _candidates(
        self, command: AddMemoriesCommand, vectors: Sequence[Vector]
    ) -> list[Candidate]:
        """The memories nearest to the messages, which have these vectors."""
        with stage("candidates"):
            candidates = await self._store.find_candidates(
                command.project_id,
                command.scope,
                vectors,
                max(CANDIDATES_PER_MESSAGE, CANDIDATES_AT_MOST // max(len(vectors), 1)),
                today(self._clock.now()),
            )
        return candidates[:CANDIDATES_AT_MOST]

    async def _context(self, command: AddMemoriesCommand) -> list[Message]:
        if not command.with_context:
            return []
        stored = await self._store.recent_messages(
            command.project_id, command.scope, CONTEXT_MESSAGES
        )
        return [Message(message.role, message.content, message.name) for message in stored]


def _categories(command: AddMemoriesCommand, project: Project | None) -> Sequence[Category]:
    of_project = project.custom_categories if project else ()
    return command.categories or of_project or BUILT_IN_CATEGORIES


def _keeps_passages(command: AddMemoriesCommand, project: Project | None) -> bool:
    """Whether what becomes no memory is kept.

    It is not where something says what to remember: what is left out then is to be forgotten.
    """
    if command.includes or command.excludes or _instructions(command, project):
        return False
    return project is None or project.keeps_passages


def _instructions(command: AddMemoriesCommand, project: Project | None) -> list[str]:
    of_project = project.custom_instructions if project else ""
    return [text for text in (of_project, command.instructions) if text]
