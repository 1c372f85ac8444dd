"""From a conversation to the facts in it, one clause at a time."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache

from server.graph.model import Entity, clean_name
from server.memories.add.inference import (
    Candidate,
    InferenceRequest,
    ProposedEntity,
    ProposedOperation,
    ProposedRelation,
)
from server.memories.add.plan import MAX_OPERATIONS, MAX_TEXT_LENGTH
from server.memories.conversation import Message, Role
from server.models.offline import dates
from server.models.offline.aliases import find_aliases
from server.models.offline.categories import Categorizer, Filter
from server.models.offline.changes import Entry, Ledger
from server.models.offline.clauses import Clause, lowered, split, tokenize
from server.models.offline.facts import Fact, facts_of, read_fact
from server.models.offline.forgetting import read_request
from server.models.offline.lexicon import verbs_listed
from server.models.offline.people import ANIMAL, PERSON, Subject, gender_of
from server.models.offline.phrases import read_name
from server.models.offline.remarks import is_remark
from server.models.offline.rewriting import Speaker, attributed
from server.models.offline.sentences import Sentence, own_sentences
from server.models.offline.statements import Who

_MAX_SPEAKER_LENGTH = 64
_MAX_ENTITIES = 20
_MAX_SENTENCE_LENGTH = 1_000
"""Longer ones are hardly sentences; the time for one grows with the square of its length."""

_PRONOUNS = {"he": "he", "his": "he", "she": "she", "her": "she"}
_SPEAKERS = {Role.USER: Speaker("User"), Role.ASSISTANT: Speaker("Assistant", "assistant")}
_DATED = re.compile(r"(?i)\d|\b(?:\w+day|tomorrow|tonight|next|april|may|june|july|august|\w+ber)\b")
_WANTING = verbs_listed("tastes")
_DONE_BY_ASSISTANT = verbs_listed("done_by_assistant")


class Extraction:
    """The facts of one request. It stops at as many operations as an answer may have."""

    def __init__(self, request: InferenceRequest) -> None:
        self._request = request
        self._categorizer = Categorizer(request.categories)
        self._includes = Filter(request.includes, request.categories) if request.includes else None
        self._people = People()
        self._ledger = Ledger(list(self._known()), self._described)

    def run(self) -> list[ProposedOperation]:
        """What the conversation changes, in its order."""
        for message in self._request.context:
            self._listen(message)
        for number, message in enumerate(self._request.messages, start=1):
            self._read(number, message)
            if len(self._ledger) >= MAX_OPERATIONS:
                break
        return self._ledger.operations()[:MAX_OPERATIONS]

    def _listen(self, message: Message) -> None:
        """Takes from an earlier message whom a pronoun may mean, and nothing else."""
        speaker = _speaker(message)
        if speaker is not None and message.role is Role.USER:
            for sentence in own_sentences(message.content or ""):
                for _ in _facts(sentence.statement, speaker, self._people):
                    pass

    def _read(self, number: int, message: Message) -> None:
        speaker = _speaker(message)
        if speaker is None:
            return
        for sentence in own_sentences(message.content or ""):
            self._take(sentence, speaker, number, message.role)
            if len(self._ledger) >= MAX_OPERATIONS:
                return

    def _take(self, sentence: Sentence, speaker: Speaker, number: int, role: Role) -> None:
        if role is Role.USER and (forget := read_request(sentence.text)):
            operation = ProposedOperation("FORGET", "", number, sentence.text)
            self._ledger.forget(forget, speaker.name, operation)
        elif sentence.is_foreign:
            if sentence.statement and role is Role.USER:
                self._keep(attributed(sentence.statement, speaker), sentence.text, number)
        else:
            for fact in _facts(sentence.statement, speaker, self._people):
                if _is_of_interest(fact, role):
                    operation = ProposedOperation("ADD", fact.text, number, sentence.text)
                    self._state(fact, operation)

    def _keep(self, text: str, quote: str, number: int) -> None:
        if len(text) <= MAX_TEXT_LENGTH and self._is_wanted(text):
            self._ledger.say(text, ProposedOperation("ADD", text, number, quote))

    def _state(self, fact: Fact, operation: ProposedOperation) -> None:
        dated = replace(fact, text=dates.resolved(fact.text, self._request.event_time))
        if len(dated.text) <= MAX_TEXT_LENGTH and self._is_wanted(dated.text):
            self._ledger.state(dated, operation)

    def _is_wanted(self, text: str) -> bool:
        return self._includes is None or self._includes.matches(text)

    def _described(
        self, operation: ProposedOperation, text: str, facts: Sequence[Fact]
    ) -> ProposedOperation:
        """The operation with its text, and what the graph holds of it."""
        relations = tuple(dict.fromkeys(r for fact in facts for r in fact.relations))
        entities: dict[str, Entity] = {}
        for fact in facts:
            if fact.subject.owner.name in fact.text:
                entities.setdefault(fact.subject.owner.key, fact.subject.owner)
            if fact.subject.is_somebody:
                entities.setdefault(fact.subject.entity.key, fact.subject.entity)
        for relation in relations:
            for entity in (relation.source, relation.target):
                entities.setdefault(entity.key, entity)
        for entity in _named(text):
            if len(entities) < _MAX_ENTITIES and not any(entity.key in key for key in entities):
                entities[entity.key] = entity
        aliases = find_aliases(text)
        return replace(
            operation,
            text=text,
            categories=self._categorizer.categories(text),
            entities=[
                ProposedEntity(entity.name, entity.type, aliases.get(entity.key, ()))
                for entity in entities.values()
            ],
            relations=[
                ProposedRelation(r.source.name, r.relation, r.target.name) for r in relations
            ],
        )

    def _known(self) -> Iterator[Entry]:
        speakers = [s for s in map(_speaker, self._request.messages) if s is not None]
        for number, candidate in enumerate(self._request.candidates, start=1):
            speaker = next((s for s in speakers if _is_by(candidate, s)), _SPEAKERS[Role.USER])
            yield Entry(candidate.text, facts_of(candidate.text, speaker), number,
                        candidate.immutable)  # fmt: skip


class People:
    """Who was spoken of, so that `she` means somebody only where it can mean one person alone."""

    def __init__(self) -> None:
        self._subjects: dict[str, Subject] = {}
        self._rivals: dict[str, Subject] = {}
        """Who may be a person and was only mentioned: it makes a pronoun unclear."""

    def hear(self, fact: Fact) -> None:
        """Notes the people that a fact is about or names.

        Whose name is told (`my mom's name is Helga`) is from then on known by that name alone.
        """
        subject = fact.subject
        if subject.is_somebody and fact.tells_name:
            self._subjects.pop(subject.entity.key, None)
        elif subject.is_somebody and subject.entity != subject.owner:
            self._subjects.setdefault(subject.entity.key, subject)
        for name, kin in fact.mentioned():
            other = Subject(name, Entity(name), subject.owner, frozenset(), kin)
            self._rivals.setdefault(other.entity.key, other)
        for relation in fact.relations:
            for entity in (relation.source, relation.target):
                if _is_somebody(entity) and entity != subject.owner:
                    kin = relation.relation.removesuffix("_of")
                    other = Subject(
                        entity.name, entity, subject.owner, frozenset({entity.key}), kin
                    )
                    self._subjects.setdefault(entity.key, other)

    def meant(self, pronoun: str) -> Subject | None:
        """The only one that the pronoun can mean."""
        fitting = [
            subject
            for subject in self._subjects.values()
            if gender_of(subject) in {"", pronoun} and _is_somebody(subject.entity)
        ]
        if len(fitting) != 1:
            return None
        subject = fitting[0]
        if any(
            gender_of(rival) in {"", pronoun} and key not in self._subjects
            for key, rival in self._rivals.items()
        ):
            return None
        return replace(subject, text=subject.entity.name, relations=())


def _is_somebody(entity: Entity) -> bool:
    """Whether it is a person, or an animal with a name."""
    return entity.type == PERSON or (entity.type == ANIMAL and entity.name[:1].isupper())


def _facts(statement: str, speaker: Speaker, people: People) -> Iterator[Fact]:
    """The facts in a sentence, whose people are heard of on the way."""
    if len(statement) > _MAX_SENTENCE_LENGTH:
        return
    words = frozenset(statement.lower().split())
    if words.isdisjoint(_PRONOUNS):
        facts: Iterable[Fact] = _facts_without_pronouns(statement, speaker)
    else:
        facts = _read_facts(statement, speaker, people)
    for fact in facts:
        people.hear(fact)
        yield fact


@lru_cache(maxsize=2_048)
def _facts_without_pronouns(statement: str, speaker: Speaker) -> tuple[Fact, ...]:
    return tuple(_read_facts(statement, speaker, People()))


def _read_facts(statement: str, speaker: Speaker, people: People) -> Iterator[Fact]:
    """The facts in a sentence. Once a clause is not asserted, nothing joined to it is either."""
    is_open = True
    for clause in split(tokenize(statement)):
        if not is_open and not (clause.joined_by == "but" and clause.is_whole):
            continue
        pronoun = next((_PRONOUNS[t.lower] for t in clause.tokens if t.lower in _PRONOUNS), None)
        meant = people.meant(pronoun) if pronoun else None
        fact = read_fact(clause, speaker, meant)
        is_open = fact is not None or _is_remark(clause)
        if fact is not None:
            yield fact


def _is_remark(clause: Clause) -> bool:
    """Whether a clause says nothing by itself and puts nothing in doubt: `that's wrong`."""
    return clause.tokens[0].lower in {"that", "this", "it", "there"} and len(clause.tokens) <= 5  # noqa: PLR2004


def _is_of_interest(fact: Fact, role: Role) -> bool:
    """Whether a fact is worth keeping; of an assistant's, only what it has done."""
    statement = fact.statement
    if role is Role.ASSISTANT:
        return statement.who is Who.SPEAKER and _is_of_assistant(fact)
    if is_remark(statement, fact.complement):
        return False
    if statement.is_planned and statement.stem not in _WANTING:
        return bool(_DATED.search(fact.text) or any(t.is_name for t in statement.rest))
    if statement.who is Who.THING:
        return bool(_DATED.search(fact.text))
    is_bare = not statement.rest or (
        statement.who is Who.NAMED and not (fact.relations or statement.is_retraction)
    )
    return statement.stem != "be" or not is_bare


def _is_of_assistant(fact: Fact) -> bool:
    statement = fact.statement
    is_done = statement.is_past and statement.stem in _DONE_BY_ASSISTANT
    is_introduced = any(r.relation == "named" for r in fact.relations)
    is_kind = statement.stem == "be" and lowered(statement.rest[:1]) in (["a"], ["an"])
    return (is_done and not statement.is_planned) or is_introduced or is_kind


def _named(text: str) -> Iterator[Entity]:
    """What a text names, but for a word that only begins it; what somebody is in, is a place."""
    tokens = tokenize(text)
    place = 1
    while place < len(tokens):
        name = read_name(tokens, place) if tokens[place].is_name else None
        if name is not None:
            is_place = tokens[place - 1].lower in {"in", "near"}
            yield Entity(name[0].removesuffix("'s"), "place" if is_place else "")
        place = name[1] if name else place + 1


def _speaker(message: Message) -> Speaker | None:
    """Who is quoted for a message's statements; nobody for the system and tools."""
    default = _SPEAKERS.get(message.role)
    if default is None:
        return None
    name = clean_name(message.name or "")[:_MAX_SPEAKER_LENGTH].strip()
    return Speaker(name, default.type) if name else default


def _is_by(candidate: Candidate, speaker: Speaker) -> bool:
    return candidate.text.startswith((f"{speaker.name} ", f"{speaker.name}'"))
