"""A fact: an asserted clause in the words that are kept, and its meaning for comparisons."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

from server.core.text import words
from server.graph.model import Entity, Relation
from server.graph.project.supersession import is_functional
from server.models.offline import lexicon
from server.models.offline.clauses import Clause, read_clauses
from server.models.offline.lexicon import lists, pattern, verb_stem, word_set
from server.models.offline.people import Subject, content_stems, read_subject
from server.models.offline.relations import relations_of
from server.models.offline.tokens import QUOTES, Token, after_adverbs, joined, lowered, names_in, tokenize
from server.models.offline.verbs import Sense

_NEWS = pattern("news")
_OF_KIND = {verb_stem(word): kind for kind, found in lists("one_at_a_time").items() for word in found}
_PROMOTED = (["made"], ["promoted"])


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
    neither replaces nor retracts another. `contrast` are the keys of what is denied: `tea, not
    coffee`.
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
        return bool(self.clause.sense & sense)

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
    def tail_stems(self) -> frozenset[str]:
        """The stems of the words after the items, empty if they may belong to one item only."""
        return frozenset() if _LISTING & set(lowered(self.tail)) else content_stems(joined(self.tail))

    @cached_property
    def words(self) -> frozenset[str]:
        """The stems of its words."""
        return content_stems(joined(self.clause.tokens)) | {self.stem}

    @cached_property
    def own_things(self) -> frozenset[str]:
        """The speaker's own things after the verb: `my flat`."""
        rest = joined(self.clause.rest).lower()
        mine = [f"{my} {key}" for key in self.things for my in ("my", "our", "their")]
        owner = self.subject.owner.key
        return frozenset(f"{owner}'s {m.partition(' ')[2]}" for m in mine if m in rest)

    @cached_property
    def role(self) -> str:
        """What a named subject is to the speaker: `Jasmin is my team lead`; "" for nothing."""
        is_own = lowered(self.clause.rest[:1]) in (["my"], ["our"]) and bool(self.items)
        noun = self.items[0].casefold().removeprefix("new ") if is_own else ""
        is_role = noun and self.stem == "be" and not self.subject.noun
        return f"{self.subject.owner.key}'s {noun}" if is_role else ""

    @cached_property
    def about(self) -> frozenset[str]:
        """The names of its subject."""
        return self.subject.names | ({self.role} if self.role else set())

    def with_employer_of(self, old: Fact) -> Fact:
        """Returns a promotion with the employer in the other fact."""
        employer = next((r for r in old.relations if r.relation == "works_at"), None)
        if not self.is_promotion or employer is None:
            return self
        text = f"{self.text.rstrip('.')} at {employer.target.name}"
        return replace(self, text=text, relations=(*self.relations, employer))

    @property
    def names(self) -> Iterator[str]:
        """The names in it that can be people's."""
        for place, name in names_in(self.clause.rest):
            before = self.clause.rest[place - 1].lower if place else self.stem
            if before not in _NOT_BEFORE_PEOPLE and self.relations == self.subject.relations:
                yield name

    @cached_property
    def is_news(self) -> bool:
        """Whether it states that something holds from now on."""
        is_told = _NEWS.search(joined(self.clause.tokens).lower()) or self.moved_to
        return bool(self.subject.is_new or is_told or self.is_promotion)

    @property
    def is_promotion(self) -> bool:
        """Whether it states another role with the same employer."""
        return lowered(self.clause.rest[:1]) in _PROMOTED

    @cached_property
    def moved_to(self) -> str:
        """The new value, time or place of its subject: `my rent went up to 1000 euros`."""
        is_moved = self.lead.endswith("to") and bool(self.items)
        found = lowered(self.clause.tokens[self.clause.verb :])
        return self.items[0].casefold() if is_moved and not _CHANGING.isdisjoint(found) else ""

    @cached_property
    def parts(self) -> tuple[dict[str, frozenset[str]], frozenset[str]]:
        """What in it may change by itself, by kind, and the stems of the other words.

        These are numbers and days, names after a preposition, and what one does in one way at a
        time, such as going to work.
        """
        clause, values, others = self.clause, defaultdict(set), {self.stem}
        told = _NEWS.sub("", joined((*clause.tokens[: clause.begin], *clause.rest)))
        after, is_name = "", False
        for token in map(_token, words(told)):
            is_name = token.is_name and (is_name or after in lexicon.PREPOSITIONS)
            kind = _OF_KIND.get(verb_stem(token.lower), "")
            kind = kind or ("#" if lexicon.is_quantity(token.lower) else "@" if is_name else "")
            if token.lower in self.contrast:
                break
            if kind:
                values[kind].add(token.lower)
            else:
                others |= content_stems(token.lower)
            after = after if token.lower in lexicon.DETERMINERS else token.lower
        if kind := _OF_KIND.get(self.stem, ""):
            values[kind].add(self.stem)
            others.remove(self.stem)
        return {kind: frozenset(found) for kind, found in values.items()}, frozenset(others)

    @cached_property
    def slots(self) -> dict[str, str]:
        """The properties of which its subject has one value at a time, with their values."""
        found = {} if self.has(Sense.RETRACTED) else self._possession()
        for r in self.relations:
            is_own = r.source.key in self.subject.names or r.source == self.subject.owner
            if r.relation in _SOFT or (is_own and is_functional(r.relation)):
                found[r.relation] = r.target.key
            if is_own and r.relation in _MARITAL_STATUS:
                found.setdefault("marital_status", _MARITAL_STATUS[r.relation])
        return found

    def _possession(self) -> dict[str, str]:
        """Returns who somebody's boss is, or what something of theirs is like, is, or costs."""
        subject, rest = self.subject, self.clause.rest
        if self.clause.is_former:
            return {}
        if self.role:
            return _single(self.role, subject.entity.key)
        if subject.entity == subject.owner or not subject.noun:
            return {}
        thing = f"{subject.owner.key}'s {subject.noun}"
        if subject.is_somebody:
            targets = [r for r in self.relations if r not in subject.relations]
            named = subject.entity if subject.text.endswith(subject.entity.name) else None
            named = targets[0].source if targets else named
            return _single(thing, named.key) if named and named.name[:1].isupper() else {}
        if self.moved_to:
            is_put = self.lead == "moved to" and not lexicon.is_quantity(self.moved_to.split()[0])
            kinds = ("where",) if is_put else ("where", "which", "how")
            return {f"{kind} {thing}": self.moved_to for kind in kinds}
        value = " ".join(lowered(rest))
        if self.stem != "be":
            return {}
        is_where = value.startswith(("with ", "at ", "on ", "in "))
        is_valued = value.startswith(("a ", "an ")) or any(
            t.is_name or lexicon.is_quantity(t.lower) for t in rest
        )
        return {f"{'where' if is_where else 'which' if is_valued else 'how'} {thing}": value}


def _token(word: str) -> Token:
    return Token(word, word.lower())


_DISLIKED_IF_DENIED = lexicon.stems("stand bear like enjoy")
_CHANGING = lexicon.listed("changing")
_SOFT = word_set("works_as follows_diet dates")
_MARITAL_STATUS = lexicon.pairs("marital_status")
_NOT_BEFORE_PEOPLE = word_set("in at on to from for near live work")
_SEVERAL = lexicon.listed("several_kin") | lexicon.PETS
_LISTING = frozenset({",", "and", "or", "&"})


def _single(thing: str, value: str) -> dict[str, str]:
    """Returns the value for somebody's boss or car; nothing if people have several."""
    which, noun = thing.rsplit(maxsplit=1)
    is_several = noun in _SEVERAL and not which.endswith("best")
    return {} if is_several else {f"which {which} {lexicon.KINSHIP.get(noun, noun)}": value}


# --- reading --------------------------------------------------------------------------------------


def read_fact(clause: Clause, speaker: Speaker, meant: Subject | None = None) -> Fact | None:
    """Returns the fact in a clause; None if its subject is unclear."""
    subject = read_subject(clause.subject, Entity(speaker.name, speaker.type), meant)
    if subject is None:
        return None
    rest = clause.rest
    end = next((p for p in range(1, len(rest)) if _is_contrast(rest, p)), len(rest))
    lead, items, tail = read_complement(rest[:end], after_be=clause.stem in {"be", "get"})
    contrast = frozenset(lowered(rest[end + 1 :])) - lexicon.FUNCTION_WORDS
    is_own = subject.entity == subject.owner
    text = _third_person(clause, speaker, subject, is_own=is_own)
    fact = Fact(
        text or speaker.said(joined(clause.tokens)), clause, subject, lead, items, tail,
        _is_qualified(clause, lead, items, tail), contrast=contrast,
    )  # fmt: skip
    relations = list(relations_of(clause, subject, lead, items))
    if fact.is_qualified:
        is_averse = fact.has(Sense.DENIED) or clause.stem in lexicon.DISTASTES
        relations = [r for r in relations if not (is_averse or is_functional(r.relation))]
    if clause.subject[0].lower in {"neither", "either", "no"}:
        relations = []
    return replace(fact, relations=tuple(dict.fromkeys(relations)))


@lru_cache(maxsize=8_192)
def facts_of(text: str, speaker: Speaker) -> tuple[Fact, ...]:
    """Returns the facts in a memory."""
    said = text.removeprefix(speaker.said(""))
    found = (read_fact(clause, speaker) for clause in read_clauses(tokenize(said)))
    return tuple(fact for fact in found if fact is not None)


def without_items(fact: Fact, gone: Sequence[str]) -> Fact | None:
    """Returns the fact without some of its items; None if none is left."""
    kept = [item for item in fact.items if item not in gone]
    start = fact.text.find(fact.items[0]) if fact.items else -1
    last = fact.text.find(fact.items[-1], start) if fact.items else -1
    if not kept or min(start, last) < 0:
        return None
    before = fact.text[:start]
    if lexicon.kind_of(fact.items[0].split()[-1]) and kept[0] == fact.items[0] and len(kept) > 1:
        # `We have two dogs, Rex and Luna` becomes `We have Luna`: they are no longer two.
        kept, before = kept[1:], f"{before.rsplit(maxsplit=1)[0]} "
    listing = " and ".join(filter(None, [", ".join(kept[:-1]), kept[-1]]))
    keys = {item.casefold() for item in gone}
    text = before + listing + fact.text[last + len(fact.items[-1]) :]
    relations = tuple(r for r in fact.relations if r.target.key not in keys)
    return replace(fact, text=text, items=tuple(kept), relations=relations)


_PARTICLES = lexicon.PREPOSITIONS | {"up", "down", "out", "off", "back", "away"}
_BEFORE_PERIODS = word_set("last next this every all")
_BEFORE_DATES = word_set("in on since until before after during")
_MOST_ITEM_WORDS = 8


def read_complement(
    tokens: Sequence[Token], *, after_be: bool
) -> tuple[str, tuple[str, ...], tuple[Token, ...]]:
    """Returns the words after a verb in parts: the lead, the items and the tail."""
    start = 0
    if after_be:
        near = [token.lower in lexicon.PREPOSITIONS for token in tokens[:3]]
        is_lead = any(near) and tokens[0].lower not in lexicon.DETERMINERS
        start = near.index(True) + 1 if is_lead else 0
    else:
        while start < len(tokens) and tokens[start].lower in _PARTICLES:
            start += 1
    before = tokens[start - 1].lower if start else ""
    if before == "since" or (before in _BEFORE_DATES and _is_date(tokens, start)):
        return joined(tokens[: start - 1]).lower(), (), tuple(tokens[start - 1 :])
    items, end = _items(tokens, start)
    return joined(tokens[:start]).lower(), items, tuple(tokens[end:])


def _items(tokens: Sequence[Token], start: int) -> tuple[tuple[str, ...], int]:
    found: list[str] = []
    place = end = start
    while place < len(tokens) and (stop := _item_end(tokens, place)) > place:
        while place < stop - 1 and tokens[place].lower in lexicon.DETERMINERS:
            place += 1
        found.append(joined(tokens[place:stop]).strip(QUOTES))
        place = end = stop
        while place < len(tokens) and tokens[place].lower in _LISTING:
            place += 1
        # The preposition may be repeated: `allergic to nuts and to milk`.
        if start > 0 and end < place < len(tokens):
            place += tokens[place].lower == tokens[start - 1].lower
        if place == end:
            break
    return tuple(found), end


def _item_end(tokens: Sequence[Token], place: int) -> int:
    """Returns the end of the noun phrase that begins here."""
    end = place
    while end < min(len(tokens), place + _MOST_ITEM_WORDS):
        token = tokens[end]
        is_mark = not token.is_word and token.text not in "@.-%\u20ac$'/:+"
        if is_mark or token.lower in _ITEM_ENDS or _is_period(tokens, end):
            break
        end += 1
    return end


_ITEM_ENDS = lexicon.PHRASE_ENDS | _LISTING | {"back"}


def _is_period(tokens: Sequence[Token], place: int) -> bool:
    """Whether words such as `last week`, `a month` or `two months ago` begin here."""
    first, second, third = [*lowered(tokens[place : place + 3]), "", "", ""][:3]
    is_time = second in lexicon.PERIODS or second in lexicon.DAYS | lexicon.MONTHS
    is_rate = first in {"a", "per"} and is_time
    is_over = f"{first} {second}" in {"any more", "any longer", "no longer", "no more"}
    return is_over or is_rate or (first in _BEFORE_PERIODS and is_time) or third == "ago"


def _is_date(tokens: Sequence[Token], place: int) -> bool:
    """Whether a month, a weekday or a year begins here."""
    word = tokens[place].lower if place < len(tokens) else ""
    is_year = len(word) == len("2000") and word.isdigit()
    return is_year or word in lexicon.DAYS | lexicon.MONTHS or _is_period(tokens, place)


def _is_contrast(rest: Sequence[Token], place: int) -> bool:
    """Whether `, not coffee` or `instead of coffee` begins here."""
    before, word, after = [*lowered(rest[place - 1 : place + 2]), ""][:3]
    is_not = word == "not" and before in {",", "and"}
    return is_not or (word, after) in {("instead", "of"), ("rather", "than")}


_NEUTRAL, _FROM_NOW_ON = pattern("neutral"), pattern("from_now_on")
_ON_A_DAY, _SEASON, _PLACE_TAIL = pattern("on_a_day"), pattern("season"), pattern("place_tail")
_MOVING = lexicon.stems("move live")


def _is_qualified(
    clause: Clause, lead: str, items: Sequence[str], tail: Sequence[Token]
) -> bool:
    """Whether a clause holds only on some occasions, or for one thing among others.

    The words around the items may only state since when, where or how the fact holds. Something
    that is denied for one place or day can still hold for others.
    """
    is_event = Sense.PAST in clause.sense
    if Sense.LIMITED in clause.sense or not _is_neutral(clause.tokens[: clause.begin], is_event):
        return True
    if Sense.DENIED in clause.sense and Sense.OVER not in clause.sense and items:
        return not _FROM_NOW_ON.fullmatch(joined(tail).lower())
    first = lowered(tail[:1])
    if clause.stem in _MOVING and first in (["with"], ["to"]):
        return bool(_SEASON.search(joined(tail).lower()))
    if items and first in (["a"], ["an"], ["per"]):
        tail = tail[2:]  # `500 euros a month` is an amount.
    return not _is_neutral(tail, is_event or not items)


def _is_neutral(tokens: Sequence[Token], is_event: bool) -> bool:
    """Whether the words do not qualify a fact. The day of an event does not."""
    text = joined(tokens)
    if is_event:
        text = _ON_A_DAY.sub("", text)
    if _PLACE_TAIL.search(text) and not _SEASON.search(text):
        text = _PLACE_TAIL.sub(" ", text)
    return bool(_NEUTRAL.fullmatch(text.lower()))


# --- the third person -----------------------------------------------------------------------------

_OTHERS_PRESENT = word_set("you your yours yourself we us ours ourselves")
_PLURAL = {"am": "are", "was": "were"}
_OWN = {"my": "their", "our": "their", "i": "they", "me": "them", "mine": "theirs",
        "myself": "themself"}  # fmt: skip


def _third_person(
    clause: Clause, speaker: Speaker, subject: Subject, *, is_own: bool
) -> str | None:
    """Returns the clause in the third person; None if it speaks for or to several people."""
    is_i = clause.subject[-1].lower == "i" and len(clause.subject) == 1
    if is_own and not (is_i or joined(clause.subject) == speaker.name):
        return None
    front = _without_pronouns(clause.tokens[: clause.begin], speaker, is_own=False)
    rest = _without_pronouns(clause.rest, speaker, is_own=is_own)
    if front is None or rest is None:
        return None
    verbs = list(clause.tokens[clause.end : clause.after])
    if is_i:
        first = after_adverbs(verbs, 0)
        verbs[first] = verbs[first]._replace(text=lexicon.third_person(verbs[first].lower))
    gap = " " if clause.rest and clause.rest[0].spaced else ""
    text = f"{front} {subject.text} {joined(verbs)}{gap}{rest}".strip()
    return text[:1].upper() + text[1:]


def _without_pronouns(tokens: Sequence[Token], speaker: Speaker, *, is_own: bool) -> str | None:
    """Returns the words with the speaker's pronouns replaced; None if that is not safe.

    `is_own` is whether the speaker is the subject, so that `they` and `their` mean the speaker.
    """
    found: list[Token] = []
    after_i = False
    for token in tokens:
        text, word = token.text, token.lower
        if word in _OTHERS_PRESENT:
            return None
        if word in _OWN and text not in {"ME", "MINE"}:
            possessive = f"{speaker.name}'s" if word in {"my", "our", "mine"} else speaker.name
            text = _OWN[word] if is_own else possessive
        elif after_i and word not in lexicon.ADVERBS:
            text = _PLURAL.get(word, text) if is_own else lexicon.third_person(text)
        after_i = word == "i" or (after_i and word in lexicon.ADVERBS)
        found.append(token._replace(text=text))
    return joined(found)
