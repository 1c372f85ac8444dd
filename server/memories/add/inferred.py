"""Adds with `infer=true`: a model proposes, its plan is checked, and one commit stores it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import structlog

from server.core.background import in_thread_if_many
from server.core.clock import Clock
from server.core.errors import ConcurrentChange, ExtractionFailed
from server.core.values import Vector
from server.memories.add.add_memories import (
    AddMemoriesCommand,
    AddMemoriesOutcome,
    require_fitting_response,
)
from server.memories.add.change_sets import (
    MessagePart,
    message_parts,
    new_passages,
    outcome,
    start_add,
)
from server.memories.add.duplicates import without_near_duplicates
from server.memories.add.entity_resolution import known_entities
from server.memories.add.inference import (
    BUILT_IN_CATEGORIES,
    InferenceAnswer,
    InferenceRequest,
)
from server.memories.add.plan import Plan, plan
from server.memories.changes import Change, ChangeSet, Deletion
from server.memories.conversation import Message, Role, with_content
from server.memories.memory import today
from server.memories.passages import compared_texts
from server.memories.ports import MemoryStore
from server.memories.queries import AddInputs, Committed
from server.models.ports import Embedder, EmbeddingPurpose, LanguageModel
from server.operations.leases import ScopeTurns
from server.telemetry.logging import FrequentEvent
from server.telemetry.recording import stage

# The failures that a second answer can correct. A truncated or blocked answer would be truncated or
# blocked again.
_REPAIRABLE = frozenset({"malformed", "empty", "invalid", "unsupported"})

log = structlog.get_logger()
_planned_event = FrequentEvent("server.memories.add.inferred", "inference.planned")


async def propose(
    language_model: LanguageModel, request: InferenceRequest, max_deletions: int, draft: ChangeSet
) -> tuple[InferenceAnswer, Plan]:
    """Returns the model's answer and the resulting plan; token counts are totals of all answers.

    If an answer cannot be used, the model is asked once more, with a description of the fault.

    Raises:
        ExtractionFailed: the second answer cannot be used either, or a second would not help.
        ModelUnavailable, ModelQuotaExhausted, DeadlineExceeded: as `LanguageModel.infer`.
    """
    try:
        return await _ask(language_model, request, max_deletions, draft)
    except ExtractionFailed as failure:
        if failure.cause not in _REPAIRABLE:
            raise
        first = failure
    log.warning("inference.repaired", model=language_model.model, cause=first.cause)
    repeated = replace(request, problems=first.problems)
    answer, checked = await _ask(language_model, repeated, max_deletions, draft)
    total = replace(
        answer,
        input_tokens=answer.input_tokens + first.input_tokens,
        output_tokens=answer.output_tokens + first.output_tokens,
    )
    return total, checked


async def _ask(
    language_model: LanguageModel, request: InferenceRequest, max_deletions: int, draft: ChangeSet
) -> tuple[InferenceAnswer, Plan]:
    answer = await language_model.infer(request)
    try:
        checked = await in_thread_if_many(
            len(request.messages), plan, request, answer, max_deletions, draft
        )
    except ExtractionFailed as failure:
        raise ExtractionFailed(
            answer.model,
            failure.cause,
            failure.problems,
            input_tokens=answer.input_tokens,
            output_tokens=answer.output_tokens,
        ) from failure
    return answer, checked


CANDIDATES_AT_MOST = 20
CANDIDATES_PER_MESSAGE = 5
"""The minimum number of candidates for each compared text; a single text gets all candidates."""
CONTEXT_MESSAGES = 10
KNOWN_ENTITIES_AT_MOST = 30


@dataclass(frozen=True, slots=True)
class _Conversation:
    """The messages of an add, and their parts that may become passages, with a vector for each.

    The candidates are the memories nearest to the vectors `compared`.
    """

    messages: Sequence[Message]
    compared: Sequence[Vector]
    parts: Sequence[MessagePart]
    part_vectors: Sequence[Vector]


class AddInferred:
    """Infers memories and stores them.

    An add costs one call of the language model, at most two embedding batches and two statements.
    The first statement takes the scope's lease and reads the project's settings and the candidates,
    the second writes the result. Another one reads candidates that this server has not seen before,
    and with `version` v2 another one reads the context. No connection is held while a model works.
    After a concurrent change the call starts over once, and an unusable answer is requested once
    more.
    """

    def __init__(
        self,
        store: MemoryStore,
        embedder: Embedder,
        language_model: LanguageModel,
        clock: Clock,
        turns: ScopeTurns,
        max_deletions: int,
    ) -> None:
        self._store = store
        self._embedder = embedder
        self._language_model = language_model
        self._clock = clock
        self._turns = turns
        self._max_deletions = max_deletions

    async def __call__(self, command: AddMemoriesCommand) -> AddMemoriesOutcome:
        """Infers memories and stores them.

        Raises:
            ExtractionFailed, AnswerTooLarge, ModelUnavailable, ModelQuotaExhausted,
            StoreUnavailable, RequestIdReused, ConcurrentChange: nothing was stored.
        """
        conversation = await self._embed_conversation(command)
        try:
            return await self._add(command, conversation)
        except ConcurrentChange:
            # The lease expired before the commit, or another kind of call changed the memories.
            # Decides again on the current state, but only once.
            log.info("inference.restarted")
            return await self._add(command, conversation)

    async def _add(
        self, command: AddMemoriesCommand, conversation: _Conversation
    ) -> AddMemoriesOutcome:
        begin = partial(
            self._store.begin_add,
            vectors=conversation.compared,
            limit=max(
                CANDIDATES_PER_MESSAGE, CANDIDATES_AT_MOST // max(len(conversation.compared), 1)
            ),
            visible_on=today(self._clock.now()),
        )
        turn = self._turns.take(command.project_id, command.scope.key(), begin)
        async with turn as (lease, inputs):
            changes = start_add(
                command,
                conversation.messages,
                self._clock.now(),
                self._embedder.model,
                lease.lease_id,
            )
            if any(message.role is not Role.SYSTEM for message in conversation.messages):
                changes = await self._decide(command, conversation, inputs, changes)
            all_added = frozenset(addition.memory_id for addition in changes.added)
            expected = outcome(changes, Committed(all_added, 0), inputs.candidates)
            require_fitting_response(expected)
            committed = await self._store.commit(changes)
        if committed.added == all_added:
            return replace(expected, position=committed.position)
        return outcome(changes, committed, inputs.candidates)

    async def _decide(
        self,
        command: AddMemoriesCommand,
        conversation: _Conversation,
        inputs: AddInputs,
        draft: ChangeSet,
    ) -> ChangeSet:
        """Returns the change set with the changes that the model proposes and that may be made."""
        request = await self._request(command, conversation.messages, inputs)
        with stage("infer"):
            answer, checked = await propose(
                self._language_model, request, self._max_deletions, draft
            )
        _planned_event.log(
            "debug",
            {
                "proposed": len(answer.operations),
                "kept": len(checked.changes),
                "candidates": len(request.candidates),
            },
        )
        embedded = await self._with_embeddings(checked.changes)
        parts = conversation.parts if inputs.keeps_passages and not inputs.instructions else []
        return replace(
            draft,
            call=replace(
                draft.call,
                time=self._clock.now(),
                language_model=answer.model,
                prompt_version=answer.prompt_version,
                input_tokens=answer.input_tokens,
                output_tokens=answer.output_tokens,
                notices=checked.notices,
            ),
            changes=without_near_duplicates(
                embedded, request.candidates, self._embedder.near_duplicate_similarity
            ),
            passages=(
                await in_thread_if_many(
                    len(parts), new_passages, draft, parts, conversation.part_vectors, checked
                )
                if parts
                else ()
            ),
            forget_requests=[request.text for request in checked.forget_requests],
        )

    async def _with_embeddings(self, changes: Sequence[Change]) -> list[Change]:
        """Returns the changes with the vectors of their texts: one batch."""
        texts = [change.text for change in changes if not isinstance(change, Deletion)]
        with stage("embed"):
            vectors = iter(await self._embedder.embed(texts, EmbeddingPurpose.DOCUMENT))
        return [
            change if isinstance(change, Deletion) else replace(change, embedding=next(vectors))
            for change in changes
        ]

    async def _embed_conversation(self, command: AddMemoriesCommand) -> _Conversation:
        """Embeds what is compared and what may become passages: one batch, each text once."""
        messages = with_content(command.messages)
        parts = message_parts(messages) if _may_keep_passages(command) else []
        compared = compared_texts(messages, by_sentence=self._embedder.compares_sentences)
        part_texts = [part.text for part in parts]
        texts = list(dict.fromkeys([*compared, *part_texts]))
        with stage("embed"):
            vectors = await self._embedder.embed(texts, EmbeddingPurpose.DOCUMENT)
        vector_of = dict(zip(texts, vectors, strict=True))
        return _Conversation(
            messages,
            [vector_of[text] for text in compared],
            parts,
            [vector_of[text] for text in part_texts],
        )

    async def _request(
        self, command: AddMemoriesCommand, messages: Sequence[Message], inputs: AddInputs
    ) -> InferenceRequest:
        candidates = inputs.candidates[:CANDIDATES_AT_MOST]
        return InferenceRequest(
            messages=messages,
            candidates=candidates,
            categories=command.categories or inputs.categories or BUILT_IN_CATEGORIES,
            event_time=command.event_time or self._clock.now(),
            context=await self._context(command),
            instructions=[text for text in (inputs.instructions, command.instructions) if text],
            includes=command.includes,
            excludes=command.excludes,
            known_entities=known_entities(
                (entity for candidate in candidates for entity in candidate.entities),
                KNOWN_ENTITIES_AT_MOST,
            ),
        )

    async def _context(self, command: AddMemoriesCommand) -> list[Message]:
        if not command.with_context:
            return []
        return await self._store.recent_messages(
            command.project_id, command.scope, CONTEXT_MESSAGES
        )


def _may_keep_passages(command: AddMemoriesCommand) -> bool:
    """Whether the request keeps text that became no memory as passages.

    It does not if it restricts what to remember; the project may have done that, too.
    """
    return not (command.includes or command.excludes or command.instructions)
