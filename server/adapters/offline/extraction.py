"""From a conversation to the facts in it, one sentence at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from server.adapters.offline import dates, pronouns
from server.adapters.offline.aliases import find_aliases
from server.adapters.offline.categories import Categorizer
from server.adapters.offline.entities import find_entities
from server.adapters.offline.facts import Fact, fact_from_memory
from server.adapters.offline.filters import Filter, is_wanted
from server.adapters.offline.ledger import Known, Ledger
from server.adapters.offline.relations import Findings, find_relations
from server.adapters.offline.rewriting import Speaker, attributed, rewritten
from server.adapters.offline.sentences import split
from server.adapters.offline.statements import Statement, statement
from server.adapters.offline.words import expanded, plain
from server.domain.conversation import Message, Role
from server.domain.graph import Entity, clean_name
from server.domain.inference import (
    InferenceRequest,
    ProposedEntity,
    ProposedOperation,
    ProposedRelation,
)
from server.domain.planning import MAX_OPERATIONS, MAX_TEXT_LENGTH

_MAX_SPEAKER_LENGTH = 64
_SPEAKERS = {Role.USER: Speaker("User"), Role.ASSISTANT: Speaker("Assistant", "assistant")}


@dataclass(frozen=True, slots=True)
class _Sentence:
    """A sentence, and who said it."""

    text: str
    role: Role
    speaker: Speaker


@dataclass(frozen=True, slots=True)
class _Finding:
    """A fact and the passage that states it."""

    fact: Fact
    quote: str


class Extraction:
    """The facts of one request. It stops at as many operations as an answer may have."""

    def __init__(self, request: InferenceRequest) -> None:
        self._request = request
        self._categorizer = Categorizer(request.categories)
        self._includes = self._filter(request.includes)
        self._excludes = self._filter(request.excludes)
        self._ledger = Ledger(self._known())
        self._found: dict[tuple[_Sentence, Entity | None], _Finding | None] = {}

    def run(self) -> list[ProposedOperation]:
        """What the conversation changes, in its order."""
        meant = self._spoken_of(self._request.context)
        for number, sentence in _sentences(self._request.messages):
            found = self._find(sentence, meant)
            if found is None:
                continue
            meant = _antecedent(found, sentence) or meant
            self._record(found, sentence.speaker, number)
            if len(self._ledger) == MAX_OPERATIONS:
                break
        return self._ledger.operations()

    def _spoken_of(self, messages: Sequence[Message]) -> Entity | None:
        """Whom a pronoun after these messages means. Nothing else is taken from them."""
        meant: Entity | None = None
        for _, sentence in _sentences(messages):
            found = self._find(sentence, meant)
            meant = (_antecedent(found, sentence) if found else None) or meant
        return meant

    def _find(self, sentence: _Sentence, meant: Entity | None) -> _Finding | None:
        """What a sentence states. One that is repeated ten thousand times is read once."""
        key = sentence, meant
        if key not in self._found:
            self._found[key] = _find(sentence, meant)
        return self._found[key]

    def _record(self, found: _Finding, speaker: Speaker, message: int) -> None:
        fact = found.fact
        text = dates.resolved(fact.text, self._request.event_time)
        if len(text) > MAX_TEXT_LENGTH or not is_wanted(text, self._includes, self._excludes):
            return
        relations = fact.findings.stated
        mentioned = Entity(speaker.name, speaker.type) if speaker.name in text else None
        said_text = fact.text.removeprefix(attributed("", speaker))
        entities = find_entities(said_text, relations, mentioned)
        aliases = find_aliases(said_text)
        operation = ProposedOperation(
            action="ADD",
            text=text,
            message=message,
            quote=found.quote,
            categories=self._categorizer.categories(fact.text),
            entities=[
                ProposedEntity(entity.name, entity.type, aliases.get(entity.key, ()))
                for entity in entities
            ],
            relations=[
                ProposedRelation(r.source.name, r.relation, r.target.name) for r in relations
            ],
        )
        self._ledger.record(Fact(text, fact.findings), operation)

    def _known(self) -> Iterator[Known]:
        speakers = [s for s in map(_speaker, self._request.messages) if s is not None]
        for number, candidate in enumerate(self._request.candidates, start=1):
            speaker = next(
                (s for s in speakers if candidate.text.startswith(s.name)), _SPEAKERS[Role.USER]
            )
            fact = fact_from_memory(candidate.text, speaker)
            yield Known(number, fact, candidate.immutable)

    def _filter(self, wish: str | None) -> Filter | None:
        return Filter(wish, self._request.categories) if wish else None


def _sentences(messages: Sequence[Message]) -> Iterator[tuple[int, _Sentence]]:
    """Every sentence of users and assistants, with the number of its message."""
    for number, message in enumerate(messages, start=1):
        speaker = _speaker(message)
        if speaker is not None:
            for text in split(message.content or ""):
                yield number, _Sentence(text, message.role, speaker)


def _antecedent(found: _Finding, sentence: _Sentence) -> Entity | None:
    return pronouns.antecedent(found.fact.findings.stated, sentence.speaker.name)


def _speaker(message: Message) -> Speaker | None:
    """Who is quoted for a message's statements; nobody for the system and tools."""
    default = _SPEAKERS.get(message.role)
    if default is None:
        return None
    name = clean_name(message.name or "")[:_MAX_SPEAKER_LENGTH].strip()
    return Speaker(name, default.type) if name else default


def _find(sentence: _Sentence, meant: Entity | None) -> _Finding | None:
    found = statement(sentence.text, sentence.role)
    fact = _fact(found, sentence.speaker, meant) if found else None
    return _Finding(fact, found.quote) if found and fact else None


def _fact(found: Statement, speaker: Speaker, meant: Entity | None) -> Fact | None:
    """The statement in the third person, or as something said; None if it is of no interest."""
    if found.foreign:
        return Fact(attributed(found.text, speaker), Findings())
    resolved = pronouns.resolved(found.text, meant)
    text = resolved or found.text
    third = rewritten(text, speaker)
    findings = find_relations(third or expanded(plain(text)), speaker, meant)
    relates = bool(findings.stated or findings.ended)
    if not relates and (found.is_vague or not (found.personal or resolved or found.is_notable)):
        return None
    if third is None or not (found.personal or resolved or relates):
        return Fact(attributed(text, speaker), findings)
    return Fact(_spelled_out(third, findings, speaker), findings)


def _spelled_out(text: str, findings: Findings, speaker: Speaker) -> str:
    """`User is Alice` says more clearly what it means as `User's name is Alice`."""
    for relation in findings.stated:
        if relation.relation == "named" and text == f"{speaker.name} is {relation.target.name}":
            return f"{speaker.possessive} name is {relation.target.name}"
    return text
