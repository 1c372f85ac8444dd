"""Who relates to what, by an asserted clause."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from server.graph.model import Entity, Relation
from server.models.offline.clauses import Token, joined
from server.models.offline.lexicon import DIETS, DISTASTES, MARITAL, is_job, stem_set
from server.models.offline.people import Subject, attribute_named, introduced
from server.models.offline.phrases import Complement, Item, is_place, read_name
from server.models.offline.statements import Statement


@dataclass(frozen=True, slots=True)
class _Rule:
    """Verbs, what follows them, and the relation that they state.

    `lead` is what stands between the verb and its object, which is a name or a list of things.
    """

    relation: str
    type: str
    verbs: frozenset[str]
    lead: re.Pattern[str]
    takes_name: bool


def _rule(relation: str, type_: str, verbs: str, lead: str = "", *, name: bool = False) -> _Rule:
    return _Rule(relation, type_, stem_set(verbs), re.compile(lead), name)


_WITH_NAME = (
    _rule("lives_in", "place", "live reside settle", "(?:alone |together )?(?:in|at)", name=True),
    _rule("lives_in", "place", "move relocate emigrate",
          "(?:back |over |out )?(?:from .+ )?to", name=True),
    _rule("lives_in", "place", "be", "(?:now )?based in", name=True),
    _rule("born_in", "place", "be", "born (?:and raised )?in", name=True),
    _rule("from", "place", "be come", "(?:originally )?from", name=True),
    _rule("grew_up_in", "place", "grow", "up in", name=True),
    _rule("works_at", "organization", "work intern", "(?:as .+ )?(?:at|for)", name=True),
    _rule("works_at", "organization", "be", "(?:employed|hired) (?:at|by)", name=True),
    _rule("works_at", "organization", "get", "hired (?:at|by)", name=True),
    _rule("works_at", "organization", "start", "(?:working )?(?:at|for)", name=True),
    _rule("works_at", "organization", "join", name=True),
    _rule("works_at", "organization", "be become",
          "(?:an?|the) .+ (?:at|for|with)", name=True),
    _rule("works_at", "organization", "get have start accept take land find",
          "(?:a|an|the|my) (?:new )?(?:job|position|role)(?: as .+)? (?:at|with)", name=True),
    _rule("works_at", "organization", "be get", "promoted to .+ (?:at|with)", name=True),
    _rule("studies_at", "organization", "study", "(?:.+ )?at", name=True),
    _rule("graduated_from", "organization", "graduate", "from", name=True),
    _rule("married_to", "person", "marry", name=True),
    _rule("married_to", "person", "be get", "married to", name=True),
    _rule("engaged_to", "person", "be get", "engaged to", name=True),
    _rule("dates", "person", "date", name=True),
    _rule("visited", "place", "visit", name=True),
    _rule("named", "person", "be go", "(?:called|named|by)", name=True),
)  # fmt: skip
_WITH_THINGS = (
    _rule("allergic_to", "", "be", ".*allergic to"),
    _rule("speaks", "language", "speak"),
    _rule("learns", "", "learn"),
    _rule("likes", "", "like"),
    _rule("loves", "", "love adore"),
    _rule("enjoys", "", "enjoy"),
    _rule("dislikes", "", "dislike hate detest loathe despise"),
    _rule("prefers", "", "prefer"),
    _rule("plays", "", "play"),
    _rule("drinks", "", "drink"),
    _rule("eats", "", "eat"),
    _rule("owns", "", "own"),
    _rule("drives", "", "drive"),
    _rule("uses", "", "use"),
    _rule("collects", "", "collect"),
    _rule("writes", "", "write"),
    _rule("teaches", "", "teach"),
    _rule("supports", "", "support"),
    _rule("trains_for", "", "train", "for"),
    _rule("likes", "", "be", "an? (?:big |huge |great )?fan of"),
    _rule("weighs", "", "weigh"),
)
_DENIED = {"likes": "dislikes", "loves": "dislikes", "enjoys": "dislikes", "eats": "avoids",
           "drinks": "avoids"}  # fmt: skip
_AGE = re.compile(r"(\d{1,3})(?: years? old| years? of age)?$")
_HEIGHT = re.compile(r"(\d.*?)(?: tall)$")
_AGED_STEMS = stem_set("be turn")


def stated(
    statement: Statement, subjects: Sequence[Subject], complement: Complement, *, casual: bool
) -> Iterator[Relation]:
    """The relations that an asserted clause states of its subjects."""
    for subject in subjects:
        yield from tuple(introduced(statement, subject)) or subject.relations
        yield from _new_attribute(statement, subject)
        if not subject.is_attribute:
            for relation, target in _targets(statement, subject, complement, casual=casual):
                if target.key and target.key != subject.entity.key:
                    yield Relation(subject.entity, relation, target)
        elif attribute := attribute_of(statement, subject, complement):
            yield attribute


def attribute_of(statement: Statement, subject: Subject, complement: Complement) -> Relation | None:
    """What `my favourite colour is blue` states of the speaker."""
    if statement.stem not in _ATTRIBUTE_VERBS or statement.is_denied or not complement.items:
        return None
    target = complement.items[0].text
    if subject.attribute == "job" and complement.lead in {"at", "with"}:
        return Relation(subject.owner, "works_at", Entity(target, "organization"))
    is_value = _VALUES.get(subject.attribute, _ANY).search(target)
    if joined(statement.rest[:2]).startswith(("a ", "an ")) or not is_value:
        return None
    return Relation(subject.owner, subject.attribute, Entity(target))


def _new_attribute(statement: Statement, subject: Subject) -> Iterator[Relation]:
    """What `I have a new phone number: 555-1234` states of the speaker."""
    rest = statement.rest
    colon = next((p for p, token in enumerate(rest) if token.text in ":,"), 0)
    if statement.stem not in _GETTING_NEW or joined(rest[:2]).lower() != "a new" or colon <= 2:  # noqa: PLR2004
        return
    attribute = attribute_named(rest[2:colon])
    value = joined(rest[colon + 1 :])
    if attribute and _VALUES.get(attribute, _ANY).search(value) and not statement.is_denied:
        yield Relation(subject.entity, attribute, Entity(value))


_GETTING_NEW = stem_set("have get")
_ANY = re.compile(r"\S")
_VALUES = {"email": re.compile("@"), "works_at": re.compile(r"[A-Z\d]")} | dict.fromkeys(
    ("phone_number", "age", "height", "weight", "birthday", "anniversary"), re.compile(r"\d")
)
"""What a value looks like, where that is known."""


_ATTRIBUTE_VERBS = stem_set("be change")


def _targets(
    statement: Statement, subject: Subject, complement: Complement, *, casual: bool
) -> Iterator[tuple[str, Entity]]:
    rest = statement.rest
    for rule in _WITH_NAME:
        if statement.stem in rule.verbs and not statement.is_denied:
            if rule.relation == "named" and subject.kin:
                continue
            name = _named_target(rule, rest, casual=casual)
            if name and _is_current(rule, statement) and _is_fit(rule, name):
                yield rule.relation, Entity(name, rule.type)
                break
    yield from _being(statement, rest)
    for rule in _WITH_THINGS:
        if statement.stem in rule.verbs and rule.lead.fullmatch(complement.lead):
            yield from _things(rule, statement, complement.items)
            break


def _things(
    rule: _Rule, statement: Statement, items: Sequence[Item]
) -> Iterator[tuple[str, Entity]]:
    relation = rule.relation
    if statement.is_denied:
        relation = _DENIED.get(relation, "")
    elif statement.is_planned and statement.stem not in DISTASTES:
        relation = ""
    if relation:
        for item in items:
            yield relation, Entity(item.text, rule.type)


def _named_target(rule: _Rule, rest: Sequence[Token], *, casual: bool) -> str | None:
    """The name after the words that lead to it, wherever they end among the first few."""
    words = [token.lower for token in rest]
    for place in range(min(len(rest), 10)):
        if rule.lead.fullmatch(" ".join(words[:place])):
            name = read_name(
                rest,
                place,
                casual=casual and rule.relation in _CASUAL,
                several=rule.type == "organization",
            )
            if name:
                return name[0]
    return None


_CASUAL = frozenset({"lives_in", "works_at", "from", "born_in"})


def _is_fit(rule: _Rule, name: str) -> bool:
    return rule.type != "place" or is_place(name)


def _is_current(rule: _Rule, statement: Statement) -> bool:
    """Whether the clause says that it holds now; `moved` says so, and `lived` does not."""
    if statement.is_planned or statement.is_over or statement.is_ability:
        return False
    if statement.is_past and statement.stem in _PAST_MEANS_OVER:
        return "have" in {token.lower for token in statement.tokens} or _since(statement)
    return not (statement.is_past and rule.relation == "from")


_PAST_MEANS_OVER = stem_set("live reside work intern study")


def _since(statement: Statement) -> bool:
    return any(token.lower == "since" for token in statement.rest)


def _being(statement: Statement, rest: Sequence[Token]) -> Iterator[tuple[str, Entity]]:
    """What `I am a nurse`, `I am vegan`, `I am 30` and `I turned 30` state."""
    words = [token.lower for token in rest]
    if statement.is_denied or statement.is_over or statement.is_planned:
        return
    text = " ".join(words)
    if statement.stem in _AGED_STEMS and (
        age := _AGE.match(" ".join(words[:3])) or _first_age(words)
    ):
        yield "age", Entity(age.group(1))
    elif statement.stem == "be" and (height := _HEIGHT.match(text)):
        yield "height", Entity(height.group(1))
    elif statement.stem == "be" and (diet := _diet(words)):
        yield "follows_diet", Entity(diet, "diet")
    if (status := _status(statement, words)) is not None:
        yield "marital_status", Entity(status)
    if job := _job(statement, words):
        yield "works_as", Entity(job, "occupation")


def _diet(words: Sequence[str]) -> str | None:
    """The diet in `a strict vegan`, but not in `vegan cooking`."""
    for word, following in zip(words[:3], [*words[1:], "now"], strict=False):
        if word in DIETS and following in _AFTER_STATE:
            return word
    return None


def _first_age(words: Sequence[str]) -> re.Match[str] | None:
    """An age before a word such as `today`; a number before anything else counts something else."""
    return _AGE.match(words[0]) if len(words) > 1 and words[1] in _AFTER_STATE else None


_AFTER_STATE = frozenset(
    {"now", "today", "yesterday", "last", "this", "since", "and", ",", "again"}
)


def _job(statement: Statement, words: Sequence[str]) -> str | None:
    """The occupation in `a senior nurse at Acme` or `at Acme as a senior nurse`."""
    if words[:2] == ["promoted", "to"]:
        start = 2
    elif statement.stem in _BECOMING:
        start = 0
    elif statement.stem in _WORKING and "as" in words:
        start = words.index("as") + 1
    else:
        return None
    if start >= len(words) or (start == 0 and words[0] not in {"a", "an"}):
        return None
    start += words[start] in {"a", "an", "the"}
    for end in range(start + 1, min(start + 5, len(words)) + 1):
        if is_job(words[end - 1]):
            return " ".join(words[start:end])
    return None


def _status(statement: Statement, words: Sequence[str]) -> str | None:
    """Married, divorced and so on, in `I got divorced` and `I married Bob`."""
    if statement.stem in _MARRYING:
        return {"marri": "married", "divorc": "divorced"}[statement.stem]
    is_state = statement.stem in _GETTING and words and words[0] in MARITAL
    return words[0] if is_state else None


_MARRYING = stem_set("marry divorce")
_GETTING = stem_set("be get")
_BECOMING = stem_set("be become")
_WORKING = stem_set("work start be get")
