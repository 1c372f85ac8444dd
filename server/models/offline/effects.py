"""Decides what of an earlier fact no longer holds once a new one is stated.

A fact replaces another if both state a property of one subject that has one value at a time; it
ends others by a verb such as `sell` or `quit`, or by denying them. When in doubt, nothing changes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache

from server.core.patterns import data_file
from server.graph.project.supersession import is_functional
from server.models.offline import lexicon
from server.models.offline.facts import Fact
from server.models.offline.lexicon import listed, pattern, stems, word_set
from server.models.offline.people import UNIQUE_KIN, attribute_named, content_stems
from server.models.offline.tokens import joined, lowered
from server.models.offline.verbs import Sense

Gone = tuple[str, ...] | None
"""The items of a fact that no longer hold: () if nothing of it does, None if all of it does."""

_RULES = data_file(lexicon.PACKAGE, "rules")
_PARTINGS = {kind: pattern.compiled(phrase) for kind, phrase in _RULES["parting"].items()}
_Rule = tuple[re.Pattern[str], frozenset[str]]
_ENDINGS = [
    (
        pattern.compiled(rule["phrase"]),
        pattern.compiled(rule.get("over", "(?!)")),
        word_set(rule.get("relations", "")),
    )
    for rule in _RULES["ending"]
]
_HELD = lexicon.POSSESSING | stems("collect")
_DONE = lexicon.USING | lexicon.TASTES | _HELD
_PARTED = {
    "disposal": _HELD,
    "giving_up": _DONE,
    "switch": _DONE | stems("live stay go attend study work"),
    "coming_off": _DONE,
    "loss": _HELD | stems("be learn study take attend do play train"),
}
"""The verbs of the facts that each kind of parting can end."""

_UNSAID = content_stems("subscription membership job position trip school degree course lessons")
_BELONGING = word_set("member subscriber subscribed part in on at as for enrolled")
_SERVING = stems("be work help volunteer serve teach study intern join become start")
_STAYING = stems("live stay work study teach sleep prefer support")
_SWITCHING = stems("switch change move transfer start begin")
_ROUTINE = stems(listed("routine")) | _SWITCHING
_SEVERAL = listed("several_kin") | lexicon.PETS.keys()
_SOFT = word_set("works_as follows_diet dates")
_PARTNERS = word_set("dates engaged_to married_to partner_of")
_LEFT = _PARTNERS | word_set("works_at works_as lives_in")
_UNTOLD = Sense.RETRACTED | Sense.PLANNED | Sense.LIMITED
_DONE_OR_DOING = Sense.PAST | Sense.PROGRESSIVE | Sense.PERFECT
_UNDER_WAY = Sense.PLANNED | Sense.PROGRESSIVE
_MEASURE, _YEAR = pattern("measure"), re.compile(r"\b(?:19|20)\d\d\b")


@lru_cache(maxsize=2_048)
def _rules_for(phrase: str) -> tuple[frozenset[str], Sequence[_Rule]]:
    kinds = frozenset(kind for kind, known in _PARTINGS.items() if known.match(phrase))
    return kinds, [(over, relations) for known, over, relations in _ENDINGS if known.match(phrase)]


def _partings(fact: Fact) -> frozenset[str]:
    """Returns in which ways its things are gone: sold, given up, lost."""
    if fact.stem == "do" and fact.has(Sense.OVER):  # `I stopped doing yoga.`
        return frozenset({"giving_up"})
    kinds = _rules_for(fact.clause.phrase)[0]
    if not kinds or fact.has(_UNTOLD):
        return frozenset()
    return kinds if fact.has(_DONE_OR_DOING) else kinds - {"giving_up"}


def is_event(fact: Fact) -> bool:
    """Whether a fact tells that something has ended."""
    return bool(fact.has(Sense.OVER) or _partings(fact) or _rules_for(fact.clause.phrase)[1])


def outdated(new: Fact, old: Fact) -> Gone:
    """Returns what of the old fact no longer holds."""
    shares = not new.subject.names.isdisjoint(old.subject.names)
    if old.has(Sense.RETRACTED):
        return () if shares and old.has(Sense.DENIED) and _affirms(new, old) else None
    if old.stem != "be" and _partings(old):
        return None
    partings = _partings(new)
    own = {f"{new.subject.owner.key}'s {thing}" for thing in new.things if "disposal" in partings}
    if not own.isdisjoint(old.subject.names) or ("loss" in partings and shares):
        return ()
    for things in _ended(new, old, shares):
        if (found := _named(things, old)) is not None:
            return found
    is_replaced = _replaces(new, old) if shares else _is_rescheduled(new, old)
    return () if is_replaced or _is_over(new, old, shares) else None


def _is_over(new: Fact, old: Fact, shares: bool) -> bool:
    """Whether a rule says that the old fact, or a relation in it, is over.

    Either partner can end what they have in common.
    """
    rules = _rules_for(new.clause.phrase)[1]
    if not rules or new.has(_UNTOLD):
        return False
    rest = new.clause.rest
    mutual = [r for r in old.relations if r.relation in _PARTNERS]
    partners = {end.key for r in mutual for end in (r.source, r.target)}
    is_partner = lexicon.KINSHIP.get(new.subject.noun) in _PARTNERS
    is_mutual = is_partner or not partners.isdisjoint(new.subject.names)
    named, names = content_stems(joined(rest)), {t.lower for t in rest if t.is_name}
    # `I quit at Acme` ends no work elsewhere.
    ended = [r for r in old.relations if not names or content_stems(r.target.name) <= named]
    return any(
        (shares or (is_mutual and relations >= _PARTNERS))
        and (over.match(old.clause.phrase) or any(r.relation in relations for r in ended))
        for over, relations in rules
    )


def _ended(new: Fact, old: Fact, shares: bool) -> Iterator[Sequence[frozenset[str]]]:
    """Yields what the new fact ends of facts with such a subject and verb, by its words."""
    subject = new.subject
    is_theirs = subject.owner in {old.subject.owner, old.subject.entity}
    is_value = old.stem == "be" and is_theirs and bool(old.subject.noun)
    for kind in _partings(new):
        # `I stepped down as captain` ends being it, and `I left the club` being a member.
        is_member = bool(_BELONGING & {*lowered(old.clause.rest[:3])})
        is_member |= new.lead.endswith("as") or "job" in new.words
        is_ended = old.stem in _PARTED[kind] or is_value or (old.stem in _SERVING and is_member)
        is_ended |= old.has(_UNDER_WAY)  # `The trip to Oslo is off.`
        if kind == "loss" and is_ended and is_theirs:
            yield [subject.stems - _UNSAID or subject.stems]
        elif is_ended and (shares or is_value):
            said = content_stems(joined(new.clause.rest)) - _UNSAID  # `The trip to Rome.`
            yield [words - _UNSAID or said or words for words in new.parts]
    is_over = new.has(Sense.OVER)
    if not shares or new.is_qualified or (new.has(Sense.PAST) and not is_over):
        return
    # `I drink coffee` is implied by `I like drinking coffee`.
    is_implied = is_over and new.stem in lexicon.USING and old.stem in lexicon.TASTES
    is_denied = new.has(Sense.RETRACTED) and (new.is_like(old) or is_implied)
    if is_denied or new.attitude < 0 < old.attitude:
        yield new.parts or [frozenset({old.stem})]
    targets = [content_stems(r.target.name) for r in old.relations if r.relation in _LEFT]
    is_left = any(target <= new.words for target in targets) or new.things == {subject.noun}
    if is_over and (is_left or (new.stem == old.stem and not new.items)):
        yield [*old.parts, frozenset({old.stem})]
    if is_over and not new.items and old.stem in lexicon.USING:  # `I gave up climbing.`
        yield [frozenset({new.stem})]


def _affirms(new: Fact, old: Fact) -> bool:
    """Whether the new fact states what the old one denies."""
    both = {new.stem, old.stem}
    is_like = new.is_like(old) or both <= lexicon.POSSESSING or both <= {"be", "get"}
    is_plain = not (new.is_qualified or old.is_qualified or new.has(Sense.RETRACTED))
    is_stated = all(any(denied <= part for part in new.parts) for denied in old.parts)
    return is_like and is_plain and is_stated and not _partings(new)


def _named(things: Sequence[frozenset[str]], old: Fact) -> Gone:
    """Returns the items that contain all words of one of the things: `wine` names `red wine`."""
    if not old.items:
        return () if any(words and words <= old.words for words in things) else None
    is_list = not {",", "and"}.isdisjoint(lowered(old.tail))
    behind = frozenset() if is_list else content_stems(joined(old.tail))
    said = zip(old.items, old.parts, strict=True)
    found = tuple(i for i, part in said if any(w and w <= part | behind for w in things))
    return None if not found else found if len(found) < len(old.items) else ()


def _replaces(new: Fact, old: Fact) -> bool:
    """Whether a fact gives another value of a property that has one value at a time."""
    is_like, is_past = new.is_like(old), new.has(Sense.PAST)
    is_plan = old.has(Sense.PLANNED) and new.stem == old.stem and bool(new.things & old.things)
    is_search = old.lead == "for" and old.has(Sense.PROGRESSIVE)
    is_found = is_search and any(part <= old.words for part in new.parts)
    is_corrected = new.is_correction and is_like and not new.has(Sense.RETRACTED)
    is_denied = not new.contrast.isdisjoint(" ".join(old.things).split())
    is_met = is_past and (is_plan or is_found)
    if is_corrected or is_denied or is_met or _has_other_value(new, old):
        return True
    is_dated = is_past and bool(_YEAR.search(joined(new.clause.rest)))
    if new.is_qualified or old.is_qualified or new.has(Sense.PLANNED) or is_dated:
        return False
    is_event = is_past or old.has(Sense.PAST)
    is_moved = new.is_news and is_like and new.stem in _STAYING and not is_event
    is_changed = new.attitude * old.attitude < 0 and new.things == old.things
    known = {stated.subject for stated in old.relations}
    # `My wife is a vet` names no other wife.
    named = [stated for stated in new.relations if stated.target.name != new.subject.text]
    changed = {r.relation for r in named if r.subject in known and r not in old.relations}
    is_changed |= any(map(is_functional, changed)) or (new.is_news and bool(changed & _SOFT))
    return is_moved or is_changed or _is_another(new, old)


def _is_another(new: Fact, old: Fact) -> bool:
    """Whether both say who somebody's boss is, or what or where something of theirs is."""
    *which, noun = new.subject.noun.split() or [""]
    is_told = new.stem == old.stem == "be" and noun and not new.has(Sense.FORMER)
    is_several = noun in _SEVERAL and "best" not in which
    is_single = new.is_news or noun in UNIQUE_KIN
    is_value = new.what == old.what and new.clause.phrase != old.clause.phrase
    is_value &= new.what == "named" or not new.subject.is_somebody
    is_value |= new.subject.is_new and not old.subject.is_new
    is_value &= attribute_named(new.subject.noun) == attribute_named(old.subject.noun)
    return bool(is_told and old.subject.noun and is_single and is_value and not is_several)


def _has_other_value(new: Fact, old: Fact) -> bool:
    """Whether both say the same except for a number, a day, a place or a way of doing it."""
    is_change = new.is_news or new.stem in _SWITCHING or bool(_MEASURE.match(new.clause.phrase))
    is_event = new.has(Sense.LIMITED) or (new.has(Sense.PAST) and new.stem not in _SWITCHING)
    added, removed = new.values - old.values, old.values - new.values
    if {kind for kind, _ in added | removed} - {"#", "@", ""}:
        added = frozenset(value for value in added if value[1] not in _ROUTINE)
        removed = frozenset(value for value in removed if value[1] not in _ROUTINE)
    kinds = {kind for kind, _ in added}
    is_one = len(kinds) == 1 and kinds == {kind for kind, _ in removed} != {""}
    is_same = attribute_named(new.subject.noun) == attribute_named(old.subject.noun)
    return is_change and is_one and is_same and not is_event


def _is_rescheduled(new: Fact, old: Fact) -> bool:
    """Whether a thing that the other names has another time or amount now."""
    is_theirs = new.subject.owner == old.subject.owner and not new.subject.is_somebody
    if not (new.is_news and is_theirs and frozenset() < new.subject.stems <= old.words):
        return False
    told = [any(map(lexicon.is_quantity, lowered(fact.clause.rest))) for fact in (new, old)]
    return all(told) and not old.has(Sense.PAST)
