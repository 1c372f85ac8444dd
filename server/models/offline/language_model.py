"""The offline language model, which extracts facts from plain English by rules of grammar.

It is conservative: what it does not understand it keeps as it stands, or leaves out. A request is
read in these steps: sentences.py finds the sentences in which a speaker states something of their
own, clauses.py splits them into asserted clauses, and facts.py makes facts of these, with their
subject (people.py) and relations (relations.py). interest.py decides which are worth keeping, and
effects.py what of the known memories each ends or replaces; changes.py collects the operations.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache

from server.core.request_context import current_request
from server.graph.model import Entity, clean_name
from server.memories.add.inference import (
    InferenceAnswer,
    InferenceRequest,
    ProposedEntity,
    ProposedOperation,
    ProposedRelation,
    Wish,
)
from server.memories.add.proposals import MAX_OPERATIONS, MAX_TEXT_LENGTH
from server.memories.conversation import Message, Role
from server.models.offline.changes import Entry, Ledger, read_request
from server.models.offline.clauses import Clause, read_clauses
from server.models.offline.facts import Fact, Speaker, facts_of, read_fact
from server.models.offline.interest import categories_of, is_of_interest
from server.models.offline.people import GENDERS, People
from server.models.offline.relations import find_aliases
from server.models.offline.relative_dates import with_calendar_dates
from server.models.offline.sentences import Sentence, own_sentences
from server.models.offline.tokens import names_in, tokenize
from server.models.ports import RerankFailed
from server.telemetry.recording import model_call

_MAX_SPEAKER_LENGTH, _MAX_ENTITIES = 64, 20
_MAX_SENTENCE_LENGTH = 1_000
"""Longer texts are hardly sentences, and the time grows with the square of the length."""

_SPEAKERS = {Role.USER: Speaker("User"), Role.ASSISTANT: Speaker("Assistant", "assistant")}


class Extraction:
    """Extracts the facts of a request, up to the maximum number of operations of an answer."""

    def __init__(self, request: InferenceRequest) -> None:
        self._request = request
        self._wish = Wish(request.includes, request.categories) if request.includes else None
        self._people = People()
        self._ledger = Ledger(self._known(), self._described)

    def run(self) -> list[ProposedOperation]:
        """Returns the changes by the conversation, in order."""
        for message in self._request.context:
            for sentence, speaker in _sentences(message) if message.role is Role.USER else ():
                list(self._facts(sentence.statement, speaker))  # Whom pronouns may mean.
        for number, message in enumerate(self._request.messages, start=1):
            for sentence, speaker in _sentences(message):
                self._take(sentence, speaker, number, message.role)
        return self._ledger.operations()[:MAX_OPERATIONS]

    def _take(self, sentence: Sentence, speaker: Speaker, number: int, role: Role) -> None:
        operation = ProposedOperation("ADD", "", number, sentence.text)
        if role is Role.USER and (forget := read_request(sentence.text)):
            self._ledger.forget(forget, speaker.name, replace(operation, action="FORGET"))
        elif sentence.is_foreign:
            text = speaker.said(sentence.statement)
            if sentence.statement and role is Role.USER and self._is_wanted(text):
                self._ledger.say(text, (), operation)
        else:
            for fact in self._facts(sentence.statement, speaker):
                text = with_calendar_dates(fact.text, self._request.event_time)
                if is_of_interest(fact, role) and self._is_wanted(text):
                    stated = replace(fact, text=text, is_correction=sentence.is_correction)
                    self._ledger.state(stated, operation)

    def _facts(self, statement: str, speaker: Speaker) -> Iterator[Fact]:
        """Yields the facts in a sentence, and remembers the people in it."""
        for clause in _clauses(statement) if len(statement) <= _MAX_SENTENCE_LENGTH else ():
            pronoun = next((token.lower for token in clause.tokens if token.lower in GENDERS), None)
            meant = self._people.meant(pronoun) if pronoun else None
            if fact := read_fact(clause, speaker, meant):
                self._people.hear(fact.subject, fact.relations, clause.rest, speaker.name)
                yield fact

    def _is_wanted(self, text: str) -> bool:
        categories = categories_of(text, self._request.categories) if self._wish else ()
        is_wished = self._wish is None or self._wish.is_about(text, categories)
        return is_wished and len(text) <= MAX_TEXT_LENGTH and len(self._ledger) < MAX_OPERATIONS

    def _described(
        self, operation: ProposedOperation, text: str, facts: Sequence[Fact]
    ) -> ProposedOperation:
        """Returns the operation with its text, entities and relations."""
        relations = dict.fromkeys(r for fact in facts for r in fact.relations)
        found = [f.subject.owner for f in facts if f.subject.owner.name in f.text]
        found += [f.subject.entity for f in facts if f.subject.is_somebody]
        found += [entity for r in relations for entity in (r.source, r.target)]
        entities = {entity.key: entity for entity in found}
        tokens = tokenize(text)
        for place, name in names_in(tokens, 1):
            entity = Entity(name, "place" if tokens[place - 1].lower in {"in", "near"} else "")
            if len(entities) < _MAX_ENTITIES and not any(entity.key in key for key in entities):
                entities[entity.key] = entity
        aliases = find_aliases(text)
        named = [ProposedEntity(e.name, e.type, aliases.get(e.key, ())) for e in entities.values()]
        stated = [ProposedRelation(r.source.name, r.relation, r.target.name) for r in relations]
        categories = categories_of(text, self._request.categories)
        return replace(
            operation, text=text, categories=categories, entities=named, relations=stated
        )

    def _known(self) -> Iterator[Entry]:
        speakers = [s for message in self._request.messages if (s := _speaker(message))]
        for number, candidate in enumerate(self._request.candidates, start=1):
            text = candidate.text
            own = (s for s in speakers if text.startswith((f"{s.name} ", f"{s.name}'")))
            by = next(own, _SPEAKERS[Role.USER])
            yield Entry(text, facts_of(text, by), number, candidate.immutable)


@lru_cache(maxsize=2_048)
def _clauses(statement: str) -> Sequence[Clause]:
    return tuple(read_clauses(tokenize(statement)))


def _sentences(message: Message) -> Iterator[tuple[Sentence, Speaker]]:
    """Yields the sentences of a message with their speaker, except of the system and of tools."""
    if speaker := _speaker(message):
        for sentence in own_sentences(message.content or ""):
            yield sentence, speaker


def _speaker(message: Message) -> Speaker | None:
    """Returns the speaker of a message's statements; None for the system and tools."""
    default = _SPEAKERS.get(message.role)
    name = clean_name(message.name or "")[:_MAX_SPEAKER_LENGTH].strip()
    return Speaker(name, default.type) if default and name else default


# 1,000 characters take about a millisecond; longer conversations should not block the event loop.
_THREAD_FROM_CHARACTERS = 8_192

_VERSION = "extractive-2"


class OfflineLanguageModel:
    """A deterministic extractor of facts that replaces a language model."""

    @property
    def model(self) -> str:
        """The model's name with its provider."""
        return f"offline/{_VERSION}"

    async def infer(self, request: InferenceRequest) -> InferenceAnswer:
        """Returns the facts in the messages, and their changes of the candidates.

        Raises:
            DeadlineExceeded: the call's deadline passed before the work began.
        """
        current_request().remaining()
        extraction = Extraction(request)
        is_long = sum(len(m.content or "") for m in request.messages) >= _THREAD_FROM_CHARACTERS
        with model_call(self.model, "generate_content"):
            operations = await asyncio.to_thread(extraction.run) if is_long else extraction.run()
        return InferenceAnswer(operations, model=self.model, prompt_version=_VERSION)


class OfflineReranker:
    """Implements `server.models.ports.Reranker` without reranking."""

    @property
    def model(self) -> str:
        """The model's name with its provider."""
        return "offline/none"

    async def rerank(self, question: str, texts: Sequence[str]) -> list[float]:
        """Always raises `RerankFailed`."""
        del question, texts
        raise RerankFailed("the offline models do not rerank")
