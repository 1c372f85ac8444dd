"""Who relates to what, by a sentence in the third person."""

from __future__ import annotations

import re
from dataclasses import dataclass

from server.adapters.offline.endings import read_change
from server.adapters.offline.phrases import read_name
from server.adapters.offline.possessions import (
    PERSON,
    Possession,
    read_being,
    read_having,
    read_introduction,
    read_owned,
)
from server.adapters.offline.reading import read_job
from server.adapters.offline.rewriting import Speaker
from server.adapters.offline.verbs import BASE
from server.domain.graph import Entity, Relation


@dataclass(frozen=True, slots=True)
class Ended:
    """A relation that holds no longer. `target` is None where any is meant."""

    source: Entity
    relation: str
    target: Entity | None


@dataclass(frozen=True, slots=True)
class Findings:
    """What a sentence states, and what it says is over."""

    stated: tuple[Relation, ...] = ()
    ended: tuple[Ended, ...] = ()


_CONNECTOR = re.compile(
    r"(?:[\s,;:()-]|\b(?:and|but|so|then|while|because|although|though|also|that)\b)*"
)
_BOUNDARY = re.compile(r"[,;:(]|\s(?=(?:and|but|because|while|who|so|although|though)\b)")
_FIRST_WORD = re.compile(r"\w+")
_WHO = re.compile(r"who\s+")
_AND = re.compile(r" and (?=[A-Z])")
_ADVERBS = re.compile(
    r"(?:(?:really|also|just|still|always|usually|often|currently|now|recently|actually|absolutely"
    r"|mostly|mainly|personally|even|already|finally|officially|both|regularly|definitely|truly"
    r"|sometimes|generally|normally|especially|only|once|all|simply|honestly)\s+)+",
    re.IGNORECASE,
)
_TIMELESS = re.compile(
    r"\b(is|are|has|was) (?:(?:now|currently|also|still|actually|really|just|recently|already) )+",
    re.IGNORECASE,
)
_AS = re.compile(r" as (?:an? |the )?", re.IGNORECASE)
_AT = re.compile(r" (?:at|for|with) ", re.IGNORECASE)


def find_relations(text: str, speaker: Speaker, meant: Entity | None = None) -> Findings:
    """The relations that the text states, and those that it ends, in their order.

    `meant` is somebody who is known already, by a name that the text may use.
    """
    return _Parser(_TIMELESS.sub(r"\1 ", text), speaker, meant).run()


class _Parser:
    """Reads a sentence from left to right: a subject, then what is said of it, and on."""

    def __init__(self, text: str, speaker: Speaker, meant: Entity | None) -> None:
        self._text = text
        self._meant = meant
        self._speaker = Entity(speaker.name, speaker.type)
        self._owner = re.compile(rf"(?:\b{re.escape(speaker.possessive)}|\btheir)\s+")
        self._mention = re.compile(rf"\b{re.escape(speaker.name)}\b")
        self._owners = frozenset({speaker.possessive, "their"})
        self._casual = not re.search(r"[A-Z]", self._mention.sub("", text)[1:])
        self._position = 0
        self._subjects: tuple[Entity, ...] = ()
        self._latest: Entity | None = None
        self._stated: dict[Relation, None] = {}
        self._ended: dict[Ended, None] = {}

    def run(self) -> Findings:
        """Everything that the text states."""
        for owner in self._owner.finditer(self._text):
            if not self._text[: owner.start()].endswith((" is ", " was ")):
                self._take(read_owned(self._text[owner.end() :], self._speaker), owner.end())
        while self._position < len(self._text):
            self._skip(_CONNECTOR)
            if not (self._read_clause() or self._read_introduced_clause()):
                self._skip_to_boundary()
        return Findings(tuple(self._stated), tuple(self._ended))

    def _read_clause(self) -> bool:
        """Reads a subject, if one is here, and what is said of it; False if nothing is."""
        before = self._position, self._subjects
        if self._latest and self._skip(_WHO):
            self._subjects = (self._latest,)
        else:
            self._subjects = self._read_subjects() or self._subjects
        is_said_of_them = self._position > before[0] or not self._begins_with_base_form()
        if self._subjects and is_said_of_them and self._read_predicate():
            return True
        # A capitalized word is a subject only if something is said of it; the speaker always is.
        if self._speaker not in self._subjects:
            self._subjects = before[1]
        self._position = before[0]
        return False

    def _begins_with_base_form(self) -> bool:
        """Whether this is `like` or its kind, which without a subject is not a verb here."""
        first = _FIRST_WORD.match(self._text, self._position)
        return len(self._subjects) == 1 and first is not None and first.group() in BASE

    def _read_introduced_clause(self) -> bool:
        """The same, after a few words such as `last year`."""
        end = self._boundary()
        mention = self._mention.search(self._text, self._position + 1, end)
        if mention is None:
            return False
        self._position = mention.start()
        return self._read_clause()

    def _read_subjects(self) -> tuple[Entity, ...]:
        """The subjects at this place, joined by `and`; none if there is none."""
        subjects: list[Entity] = []
        while subject := self._read_subject():
            subjects.append(subject)
            if not self._skip(_AND):
                break
        return tuple(subjects)

    def _read_subject(self) -> Entity | None:
        subject = self._read_owner()
        while subject and self._text.startswith("'s ", self._position):
            start = self._position + len("'s ")
            subject = self._take(read_owned(self._text[start:], subject), start, move=True)
        return subject

    def _read_owner(self) -> Entity | None:
        """The subject, as far as the first `'s` that follows a name."""
        owner = self._owner.match(self._text, self._position)
        if owner:
            owned = read_owned(self._text[owner.end() :], self._speaker)
            return self._take(owned, owner.end(), move=True)
        mention = self._mention.match(self._text, self._position)
        if mention:
            self._position = mention.end()
            return self._speaker
        name = read_name(self._text[self._position :])
        if name is None:
            return None
        self._position += name[1]
        if self._text.endswith("'s", 0, self._position):
            self._position -= len("'s")
        named = Entity(name[0], PERSON)
        return self._meant if self._meant and self._meant.key == named.key else named

    def _read_predicate(self) -> bool:
        self._skip(re.compile(r"\s+"))
        self._skip(_ADVERBS)
        rest = self._text[self._position :]
        owner = self._subjects[-1]
        having = (
            read_having(rest, owner)
            or read_being(rest, owner, self._owners, self._speaker)
            or (owner == self._speaker and read_introduction(rest, owner))
        )
        if having:
            self._latest = self._take(having, self._position, move=True)
            return True
        change = read_change(rest, speaker=self._speaker.name, casual=self._casual)
        if change is None:
            return False
        for relation, target in change.stated:
            self._state(relation, target)
            self._latest = target
        for relation, ended in change.ended:
            self._ended.update((Ended(s, relation, ended), None) for s in self._subjects)
        self._position = len(self._text) - len(change.rest)
        self._read_details([relation for relation, _ in change.stated])
        return True

    def _read_details(self, relations: list[str]) -> None:
        """What may follow an occupation or an employer: `an engineer at Acme`."""
        if "works_at" in relations and (match := _AS.match(self._text, self._position)):
            job = read_job(self._text[match.end() :])
            if job:
                self._state("works_as", Entity(job[0], "occupation"))
                self._position = match.end() + job[1]
        elif match := _AT.match(self._text, self._position):
            relation = {"works_as": "works_at", "studies": "studies_at"}.get("".join(relations))
            name = read_name(self._text[match.end() :]) if relation else None
            if relation and name:
                self._state(relation, Entity(name[0], "organization"))
                self._position = match.end() + name[1]

    def _state(self, relation: str, target: Entity) -> None:
        for subject in self._subjects:
            if subject.key != target.key:
                self._stated[Relation(subject, relation, target)] = None

    def _take(
        self, possession: Possession | None, start: int, *, move: bool = False
    ) -> Entity | None:
        """Takes over what a possession states; its subject."""
        if possession is None:
            return None
        self._stated.update((r, None) for r in possession.relations if r.source.key != r.target.key)
        if move:
            self._position = start + possession.end
        return possession.subject

    def _skip(self, pattern: re.Pattern[str]) -> bool:
        match = pattern.match(self._text, self._position)
        if match:
            self._position = match.end()
        return bool(match)

    def _boundary(self) -> int:
        boundary = _BOUNDARY.search(self._text, self._position + 1)
        return boundary.start() if boundary else len(self._text)

    def _skip_to_boundary(self) -> None:
        self._position = max(self._boundary(), self._position + 1)
