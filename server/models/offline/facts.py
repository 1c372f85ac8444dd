"""Reads facts: asserted clauses, in the words that are kept and with their meaning."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

from server.core.text import words
from server.graph.model import Entity, Relation
from server.graph.project.supersession import is_functional
from server.models.offline import lexicon
from server.models.offline.clauses import Clause, read_clauses
from server.models.offline.lexicon import pattern, stems, verb_stem, word_set
from server.models.offline.people import Subject, content_stems, read_subject
from server.models.offline.relations import relations_of
from server.models.offline.tokens import QUOTES, Token, after_adverbs, joined, lowered, tokenize
from server.models.offline.verbs import Sense

_NEWS = pattern("news")
_KINDS = {
    verb_stem(word): kind
    for kind, found in lexicon.TABLES["one_at_a_time"].items()
    for word in found.split()
}
_NAMING, _SPECIFYING = word_set("called named my our"), word_set("a an the with")
_DISLIKED_IF_DENIED = stems("stand bear like enjoy")


@dataclass(frozen=True, slots=True)
class Speaker:
    """The speaker of the words, by name and type in the graph."""

    name: str
    type: str = "person"

    def said(self, text: str) -> str:
        """Returns verbatim text as something that the speaker said."""
        return f"{self.name} said: {' '.join(text.split())}"


@dataclass(frozen=True)
class Fact:
    """The meaning of a clause, and the words in which it is kept.

    After the verb come `lead`, the words that belong to it (`allergic to`), the `items` of a list,
    and the `tail`. A qualified fact holds only on some occasions, or for one thing among others: it
    neither replaces nor retracts another. `contrast` are words of what is denied (`not coffee`).
    """

    text: str
    clause: Clause
    subject: Subject
    lead: str
    items: tuple[str, ...]
    tail: tuple[Token, ...]
    is_qualified: bool
    relations: tuple[Relation, ...] = ()
    contrast: frozenset[str] = frozenset()
    is_correction: bool = False

    @property
    def stem(self) -> str:
        """The stem of the verb."""
        return self.clause.stem

    def has(self, sense: Sense) -> bool:
        """Whether the clause is meant in any of these ways."""
        return self.clause.sense.value & sense.value != 0  # Far faster than `&` of flags.

    def is_like(self, other: Fact) -> bool:
        """Whether both relate to their items in the same words: `allergic to`."""
        return (self.stem, self.lead) == (other.stem, other.lead)

    @cached_property
    def attitude(self) -> int:
        """1 if somebody likes something, -1 if they dislike it, else 0."""
        if self.has(Sense.RETRACTED):
            return -(self.stem in _DISLIKED_IF_DENIED)
        return (self.stem in lexicon.TASTES) - (self.stem in lexicon.DISTASTES)

    @cached_property
    def things(self) -> frozenset[str]:
        """The keys of its items."""
        return frozenset(item.casefold() for item in self.items)

    @cached_property
    def parts(self) -> tuple[frozenset[str], ...]:
        """The stems of the words of each item."""
        return tuple(map(content_stems, self.items))

    @cached_property
    def words(self) -> frozenset[str]:
        """The stems of its words."""
        return content_stems(joined(self.clause.tokens)) | {self.stem}

    @cached_property
    def is_news(self) -> bool:
        """Whether it states that something holds from now on."""
        is_told = _NEWS.search(joined(self.clause.tokens).lower())
        return self.subject.is_new or is_told is not None

    @cached_property
    def values(self) -> frozenset[tuple[str, str]]:
        """Its words, each with the kind of value that it is, or "".

        Values are numbers and days ("#"), names after a preposition ("@"), and ways of doing what
        is done in one way at a time, such as going to work. They can change by themselves.
        """
        clause, before, found = self.clause, "", set[tuple[str, str]]()
        told = _NEWS.sub("", joined((*clause.tokens[: clause.begin], *clause.rest)))
        for word in words(told):
            token = Token(word, word.lower())
            if token.lower in self.contrast:
                break
            is_name = token.is_name and (before in lexicon.PREPOSITIONS or before == "@")
            kind = "#" if lexicon.is_quantity(token.lower) else "@" if is_name else ""
            kind = _KINDS.get(verb_stem(token.lower), kind)
            stated = {verb_stem(token.lower)} if kind else content_stems(token.lower)
            found |= {(kind, stem) for stem in stated}
            before = "@" if is_name else before if token.lower == "the" else token.lower
        return frozenset(found | {(_KINDS.get(self.stem, ""), self.stem)})

    @cached_property
    def what(self) -> str:
        """What it states of its subject: which one it is, when or how much, where, or how it is."""
        first, *_ = self.clause.rest or self.clause.tokens
        naming = _NAMING if self.subject.is_somebody else _NAMING | _SPECIFYING
        if first.is_name or first.lower in naming:
            return "named"
        if any(lexicon.is_quantity(token.lower) for token in self.clause.rest):
            return "quantity"
        return "where" if self.lead in {"at", "on", "in"} else self.lead


def read_fact(clause: Clause, speaker: Speaker, meant: Subject | None = None) -> Fact | None:
    """Returns the fact in a clause; None if its subject is unclear."""
    subject = read_subject(clause.subject, Entity(speaker.name, speaker.type), meant)
    if subject is None:
        return None
    rest = clause.rest
    end = next((p for p in range(1, len(rest)) if _is_contrast(rest, p)), len(rest))
    lead, items, tail = read_complement(rest[:end], after_be=clause.stem in {"be", "get"})
    if clause.stem == "be" and items and lowered(rest[:1]) == ["my"] and not subject.noun:
        noun = items[0].casefold().removeprefix("new ")  # `Jasmin is my boss.`
        names = subject.names | {f"{subject.owner.key}'s {noun}"}
        subject = replace(subject, names=names, noun=noun)
    elif clause.stem == "be" and items and subject.relation:  # `My boss is Jasmin.`
        subject = replace(subject, names=subject.names | {items[0].casefold()})
    is_qualified = _is_qualified(clause, items, tail)
    relations = list(dict.fromkeys(relations_of(clause, subject, lead, items)))
    if is_qualified:
        is_averse = Sense.DENIED in clause.sense or clause.stem in lexicon.DISTASTES
        relations = [r for r in relations if not (is_averse or is_functional(r.relation))]
    if clause.subject[0].lower == "neither":
        relations = []
    text = _third_person(clause, speaker, subject) or speaker.said(joined(clause.tokens))
    contrast = frozenset(lowered(rest[end + 1 :])) - lexicon.FUNCTION_WORDS
    return Fact(text, clause, subject, lead, items, tail, is_qualified, tuple(relations), contrast)


@lru_cache(maxsize=8_192)
def facts_of(text: str, speaker: Speaker) -> tuple[Fact, ...]:
    """Returns the facts in a memory."""
    said = text.removeprefix(speaker.said(""))
    found = (read_fact(clause, speaker) for clause in read_clauses(tokenize(said)))
    return tuple(fact for fact in found if fact is not None)


def without_items(fact: Fact, gone: Sequence[str]) -> Fact | None:
    """Returns the fact without some of its items; None if none of them are named or left."""
    kept = [item for item in fact.items if item not in gone]
    start = fact.text.find(fact.items[0]) if fact.items else -1
    last = fact.text.find(fact.items[-1], start) if fact.items else -1
    if not gone or not kept or min(start, last) < 0:
        return None
    listing = " and ".join(filter(None, [", ".join(kept[:-1]), kept[-1]]))
    text = fact.text[:start] + listing + fact.text[last + len(fact.items[-1]) :]
    keys = {item.casefold() for item in gone}
    relations = tuple(r for r in fact.relations if r.target.key not in keys)
    return replace(fact, text=text, items=tuple(kept), relations=relations)


# --- what follows the verb ------------------------------------------------------------------------

_PARTICLES = lexicon.PREPOSITIONS | word_set("up down out off back away")
_LISTING = frozenset({",", "and", "or", "&"})
_ENDS = (lexicon.PHRASE_ENDS | {"back"}) - {"of", "no"}
_BEFORE_PERIODS = word_set("last next this every all half a per")
_BEFORE_DATES = word_set("in on since until before after during")
_LEADING = lexicon.PREPOSITIONS - (_BEFORE_DATES - {"in", "on"}) | {"off"}


def read_complement(
    tokens: Sequence[Token], *, after_be: bool
) -> tuple[str, tuple[str, ...], tuple[Token, ...]]:
    """Returns the words after a verb in parts: the lead, the items and the tail."""
    words, start = lowered(tokens), 0
    if after_be and words and words[0] not in lexicon.DETERMINERS:
        start = next((p for p, word in enumerate(words[:3], 1) if word in _LEADING), 0)
    while not after_be and start < len(words) and words[start] in _PARTICLES:
        start += 1
    items, phrase, end = list[str](), list[Token](), start
    for place, token in enumerate(tokens[start:], start):
        if token.lower in _LISTING and (phrase or place > start):
            items, phrase = items + [joined(phrase)] * bool(phrase), []
        elif start and items and not phrase and words[place] == words[start - 1]:
            continue  # The preposition is repeated: `allergic to nuts and to milk`.
        elif _ends_phrase(tokens, place):
            break
        elif phrase or token.lower not in lexicon.DETERMINERS or _ends_phrase(tokens, place + 1):
            phrase, end = [*phrase, token], place + 1
    items += [joined(phrase)] * bool(phrase)
    items = [item.strip(QUOTES) for item in items]
    end = end if items or start == len(tokens) else max(start - 1, 0)
    return " ".join(words[:start]), tuple(items), tuple(tokens[end:])


def _ends_phrase(tokens: Sequence[Token], place: int) -> bool:
    """Whether a list ends here, before a preposition, an adverb or a time."""
    if place == len(tokens):
        return True
    before = tokens[place - 1].lower if place else ""
    first, second, third = [*lowered(tokens[place : place + 3]), "", "", ""][:3]
    is_mark = not tokens[place].is_word and tokens[place].text not in "@.-%\u20ac$'/:+"
    is_date = first in lexicon.CALENDAR or (first.isdigit() and len(first) == len("2000"))
    is_time = not (lexicon.PERIODS | lexicon.CALENDAR).isdisjoint({second, third})
    is_over = first in {"any", "no"} and second in {"more", "longer"}
    is_when = third == "ago" or (first in _BEFORE_PERIODS and is_time)
    is_dated = before == "since" or (before in _BEFORE_DATES and is_date)
    return is_mark or first in _ENDS or is_over or is_when or is_dated


def _is_contrast(rest: Sequence[Token], place: int) -> bool:
    """Whether `, not coffee` or `instead of coffee` begins here."""
    before, word, after = [*lowered(rest[place - 1 : place + 2]), ""][:3]
    is_not = word == "not" and before in {",", "and"}
    return is_not or (word, after) in {("instead", "of"), ("rather", "than")}


_NEUTRAL, _FROM_NOW_ON = pattern("neutral"), pattern("from_now_on")
_ON_A_DAY, _SEASON, _PLACE_TAIL = pattern("on_a_day"), pattern("season"), pattern("place_tail")


def _is_qualified(clause: Clause, items: Sequence[str], tail: Sequence[Token]) -> bool:
    """Whether a clause holds only on some occasions, or for one thing among others.

    Something that is denied for one place or day can still hold for others.
    """
    is_event = Sense.PAST in clause.sense
    if Sense.LIMITED in clause.sense or not _is_neutral(clause.tokens[: clause.begin], is_event):
        return True
    if Sense.DENIED in clause.sense and Sense.OVER not in clause.sense and items:
        return not _FROM_NOW_ON.fullmatch(joined(tail).lower())
    if clause.stem in {"move", "live"} and lowered(tail[:1]) in (["with"], ["to"]):
        return bool(_SEASON.search(joined(tail).lower()))
    return not _is_neutral(tail, is_event or not items)


def _is_neutral(tokens: Sequence[Token], is_event: bool) -> bool:
    """Whether the words do not qualify a fact. The day of an event does not."""
    text = _ON_A_DAY.sub("", joined(tokens)) if is_event else joined(tokens)
    if not _SEASON.search(text):
        text = _PLACE_TAIL.sub(" ", text)
    return bool(_NEUTRAL.fullmatch(text.lower()))


# --- the third person -----------------------------------------------------------------------------

_OTHERS_PRESENT = word_set("you your yours yourself we us ours ourselves")
_POSSESSIVE = word_set("my our mine")
_OWN = {"my": "their", "our": "their", "i": "they", "me": "them", "mine": "theirs",
        "myself": "themself"}  # fmt: skip


def _third_person(clause: Clause, speaker: Speaker, subject: Subject) -> str | None:
    """Returns the clause in the third person; None if it speaks for or to several people."""
    is_i, is_own = lowered(clause.subject) == ["i"], subject.entity == subject.owner
    if is_own and not (is_i or joined(clause.subject) == speaker.name):
        return None
    front, predicate = clause.tokens[: clause.begin], list(clause.tokens[clause.end :])
    if not _OTHERS_PRESENT.isdisjoint(lowered([*front, *predicate])):
        return None
    if is_i:
        first = after_adverbs(predicate, 0)
        third = lexicon.third_person(predicate[first].lower)
        predicate[first] = predicate[first]._replace(text=third)
    said = f"{_reported(front, speaker, is_own=False)} {subject.text} "
    text = f"{said}{_reported(predicate, speaker, is_own=is_own)}".strip()
    return text[:1].upper() + text[1:]


def _reported(tokens: Sequence[Token], speaker: Speaker, *, is_own: bool) -> str:
    """Returns the words with `they` for a speaker who is the subject, or else their name."""
    other = dict.fromkeys(_OWN, speaker.name) | dict.fromkeys(_POSSESSIVE, f"{speaker.name}'s")
    said = _OWN if is_own else other
    return joined([token._replace(text=said.get(token.lower, token.text)) for token in tokens])
