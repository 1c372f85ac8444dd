"""Who relates to what, by an asserted clause."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from server.graph.model import Entity, Relation
from server.models.offline import lexicon
from server.models.offline.lexicon import listed, word_set
from server.models.offline.people import Subject, attribute_named, introduced
from server.models.offline.phrases import Complement, read_name
from server.models.offline.statements import Statement
from server.models.offline.tokens import joined, lowered


@dataclass(frozen=True, slots=True)
class _Rule:
    """Verbs with a name after them, and the relation that they state.

    `before` are the words of which one stands right before the name; `needs` those of which one
    stands among the words before that. If empty, none stands there.
    """

    relation: str
    type: str
    verbs: frozenset[str]
    before: frozenset[str]
    needs: frozenset[str] = frozenset()


def _stems(verbs: str) -> frozenset[str]:
    return frozenset(map(lexicon.verb_stem, verbs.split()))


def _rule(relation: str, type_: str, verbs: str, before: str = "", needs: str = "") -> _Rule:
    return _Rule(relation, type_, _stems(verbs), word_set(before), word_set(needs))


_A_JOB = "job position role employed hired promoted working"
_WITH_NAME = (
    _rule("lives_in", "place", "live reside settle", "in at on"),
    _rule("lives_in", "place", "move relocate emigrate", "to"),
    _rule("lives_in", "place", "be", "in", "based"),
    _rule("born_in", "place", "be", "in", "born"),
    _rule("from", "place", "be come", "from"),
    _rule("grew_up_in", "place", "grow", "in", "up"),
    _rule("works_at", "organization", "work intern start teach", "at for"),
    _rule("works_at", "organization", "be become get have start take accept find land",
          "at for with by", _A_JOB),
    _rule("works_at", "organization", "join"),
    _rule("studies_at", "organization", "study", "at"),
    _rule("graduated_from", "organization", "graduate", "from"),
    _rule("married_to", "person", "marry"),
    _rule("married_to", "person", "be get", "to", "married"),
    _rule("engaged_to", "person", "be get", "to", "engaged"),
    _rule("dates", "person", "date"),
    _rule("visited", "", "visit"),
    _rule("named", "person", "be go", "called named by"),
)  # fmt: skip
_RELATING = {lexicon.verb_stem(verb): verb for verb in listed("relating")}
_SAME_RELATION = lexicon.pairs("same_relation")
_LEADS = {"allergic to": "allergic_to", "fan of": "likes"}
_DENIED = {"likes": "dislikes", "loves": "dislikes", "enjoys": "dislikes", "eats": "avoids",
           "drinks": "avoids"}  # fmt: skip
_NAMES_WITHIN = 10
"""How many words after the verb a name may begin."""

_STREETS = word_set("street road avenue lane drive square court terrace boulevard")
_NO_OBJECT = lexicon.PHRASE_STOPS | {"back", "out"}
_NOT_PLACES = listed("not_places")
_DIETS, _MARITAL = listed("diets"), listed("marital")
_AFTER_STATE = word_set("now today yesterday last this since and , again")
_AGE = re.compile(rf"(\d{{1,3}}|{'|'.join(listed('cardinals'))})(?: years? old| years? of age)?$")
_PAST_MEANS_OVER = _stems("live reside work intern study come")
_TELLING_VALUES = _stems("be change")
_CHANGING = lexicon.verb_stem("change")
_GETTING = _stems("be get")
_BECOMING = _stems("be become")
_WORKING = _stems("work start be get become")
_ANY = re.compile(r"\S")
_VALUES = {"email": re.compile("@"), "works_at": re.compile(r"[A-Z\d]")} | dict.fromkeys(
    ("phone_number", "age", "height", "weight", "birthday", "anniversary"), re.compile(r"\d")
)
"""What a value looks like, where that is known."""


def stated(
    statement: Statement, subjects: Sequence[Subject], complement: Complement
) -> Iterator[Relation]:
    """The relations that an asserted clause states of its subjects."""
    for subject in subjects:
        yield from tuple(introduced(statement, subject)) or subject.relations
        found = _attributes(statement, subject, complement)
        if not subject.attribute:
            found = [*found, *_targets(statement, subject, complement)]
        for relation, target in found:
            about = subject.owner if subject.attribute else subject.entity
            if target.key not in {"", subject.entity.key}:
                yield Relation(about, relation, target)


def _attributes(
    statement: Statement, subject: Subject, complement: Complement
) -> list[tuple[str, Entity]]:
    """What `my favourite colour is blue` and `I have a new number: 555-1234` state."""
    rest = statement.rest
    words = lowered(rest)
    relation, value, type_ = subject.attribute, "", ""
    if statement.is_retraction:
        return []
    if relation == "job" and complement.lead in {"at", "with"} and complement.items:
        relation, value, type_ = "works_at", complement.items[0].text, "organization"
    elif relation and statement.stem in _TELLING_VALUES:
        is_kind = joined(rest[:2]).startswith(("a ", "an "))
        value = complement.items[0].text if complement.items and not is_kind else ""
    elif words[:2] == ["a", "new"] and ":" in words and statement.stem in {"have", "get"}:
        colon = words.index(":")
        relation, value = attribute_named(words[2:colon]), joined(rest[colon + 1 :])
    elif statement.stem == _CHANGING and words[:1] == ["my"] and "to" in words:
        to = words.index("to")
        relation, value = attribute_named(words[1:to]), joined(rest[to + 1 :])
    is_value = relation and _VALUES.get(relation, _ANY).search(value)
    return [(relation, Entity(value, type_))] if is_value else []


def _targets(
    statement: Statement, subject: Subject, complement: Complement
) -> Iterator[tuple[str, Entity]]:
    is_held = not (statement.is_retraction or statement.is_planned or statement.is_ability)
    if is_held:
        yield from _named(statement, subject)
        yield from _being(statement)
    relation = next((_LEADS[lead] for lead in _LEADS if complement.lead.endswith(lead)), "")
    if statement.stem in _RELATING and not complement.lead:
        relation = lexicon.third_person(_RELATING[statement.stem])
        relation = _SAME_RELATION.get(relation, relation)
    is_intended = statement.is_planned and statement.stem not in lexicon.DISTASTES
    if statement.is_denied and not statement.is_over:
        relation = _DENIED.get(relation, "")
    elif statement.is_over or is_intended or (statement.is_ability and relation != "speaks"):
        relation = ""
    if relation:
        for item in complement.items:
            yield relation, Entity(item.text, "language" if relation == "speaks" else "")


def _named(statement: Statement, subject: Subject) -> Iterator[tuple[str, Entity]]:
    """The relations to the names after the verb, the first of each kind."""
    rest, words = statement.rest, lowered(statement.rest)
    rules = [rule for rule in _WITH_NAME if statement.stem in rule.verbs]
    goes_on = "since" in words or (statement.is_perfect and "for" in words)
    if statement.is_past and statement.stem in _PAST_MEANS_OVER and not goes_on:
        return
    found: dict[str, Entity] = {}
    for place in range(min(len(rest), _NAMES_WITHIN)):
        for rule in rules:
            if rule.relation in found or not _leads_to_name(rule, words[:place]):
                continue
            name = read_name(rest, place, several=rule.type == "organization")
            if name and (rule.type != "place" or name[0].lower() not in _NOT_PLACES):
                is_street = name[0].split()[-1].lower() in _STREETS
                is_home = rule.relation == "lives_in"
                relation = "address" if is_home and is_street else rule.relation
                if relation == "address" or not (is_home and words[place - 1 : place] == ["on"]):
                    found[relation] = Entity(name[0], rule.type)
    if subject.kin:
        found.pop("named", None)
    yield from found.items()


def _leads_to_name(rule: _Rule, words: Sequence[str]) -> bool:
    """Whether the words between a verb and a name fit, and no other object is among them."""
    before, lead = words[-1:], words[:-1]
    if rule.before.isdisjoint(before) if rule.before else before:
        return False
    if rule.type == "organization":
        is_job_there = any(map(lexicon.is_job, lead))
        return not rule.needs or is_job_there or not rule.needs.isdisjoint(lead)
    return lead[0] in (rule.needs or _NO_OBJECT) if lead else not rule.needs


def _being(statement: Statement) -> Iterator[tuple[str, Entity]]:
    """What `I am a nurse`, `I am vegan`, `I am 30` and `I turned 30` state."""
    words = lowered(statement.rest)
    was_so = statement.stem == "be" and statement.is_past and not statement.is_perfect
    state = words[:1] if words[1:2] == [] or words[1] in _AFTER_STATE else words[:3]
    if statement.stem in {"be", "turn"} and not was_so and (age := _AGE.match(" ".join(state))):
        yield "age", Entity(age.group(1))
    elif statement.stem == "be" and not was_so:
        for word, following in zip(words[:3], [*words[1:], "now"], strict=False):
            if word in _DIETS and following in _AFTER_STATE:
                yield "follows_diet", Entity(word, "diet")
    if statement.stem in _GETTING and _MARITAL.intersection(words[:1]):
        yield "marital_status", Entity(words[0])
    if job := _job(statement.stem, words, was_so=was_so):
        yield "works_as", Entity(job, "occupation")


def _job(stem: str, words: Sequence[str], *, was_so: bool) -> str:
    """The occupation in `a senior nurse at Acme` or `at Acme as a senior nurse`; "" for none."""
    if words[:2] == ["promoted", "to"]:
        words = words[2:]
    elif stem in _WORKING and "as" in words:
        words = words[words.index("as") + 1 :]
    elif stem not in _BECOMING or was_so or words[:1] not in (["a"], ["an"]):
        return ""
    start = int(words[:1] in (["a"], ["an"], ["the"]))
    ends = (end for end in range(start + 1, len(words[:5]) + 1) if lexicon.is_job(words[end - 1]))
    return " ".join(words[start : next(ends, start)])
