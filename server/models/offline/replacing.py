"""Decides whether a fact replaces another.

It does so only if both are about the same functional property (one value at a time) and neither is
qualified. When in doubt, nothing is replaced.
"""

from __future__ import annotations

from server.graph.project.supersession import is_functional
from server.models.offline import lexicon
from server.models.offline.facts import Fact
from server.models.offline.lexicon import word_set
from server.models.offline.people import UNIQUE_RELATIONS
from server.models.offline.phrases import (
    FUNCTION_STEMS,
    Item,
    content_stems,
    read_complement,
    states_quantity,
)
from server.models.offline.sentences import joined, lowered

_PREPARING = lexicon.stems("train prepare practise practice study revise save wait")
_SEEKING = lexicon.stems("look search")
_FINDING = lexicon.stems("find get buy adopt have land start")
_STAYING = lexicon.stems("live stay work study teach")
_CHOOSING = lexicon.stems("prefer support")
_MOVE = lexicon.verb_stem("move")
_CIRCUMSTANCES = word_set("at in for as from on near")
_NEWS = lexicon.pattern("news")
_KINDS = {
    kind: content_stems(" ".join(words)) for kind, words in lexicon.lists("one_at_a_time").items()
}
_KIND_OF = {stem: kind for kind, words in _KINDS.items() for stem in words}
_SWITCHING = lexicon.stems("start begin switch change move transfer")
_SWAPPING = lexicon.stems("switch change move transfer upgrade downgrade")
_SERVING = lexicon.stems("use drink bank")
_EXAM_RESULTS, _APPOINTMENTS = lexicon.stems("pass fail"), lexicon.stems("appointment")
_GENERAL = lexicon.stems("pet kid child children sibling")
_MEMBERS = {
    "child_of": word_set("son_of daughter_of"),
    "sibling_of": word_set("brother_of sister_of"),
}
_AROUND_AMOUNTS = FUNCTION_STEMS | {"be"}
_ROUTINE = _SWITCHING | lexicon.verbs_listed("routine")


def replaces(fact: Fact, other: Fact) -> bool:
    """Whether a fact gives another value of a functional property."""
    if not fact.shares_subject(other):
        return _is_rescheduled(fact, other) or _has_new_amount(fact, other)
    if any(changes(fact, other) for changes in _CHANGES):
        return True
    if fact.is_qualified or other.is_qualified or fact.statement.is_planned or fact.is_dated:
        return False
    if other.is_ending or other.statement.is_denied:
        return other.statement.is_denied and _is_opposite(fact, other)
    if _is_narrowed(fact, other):
        return True
    is_changed_attitude = fact.attitude * other.attitude < 0 and fact.things == other.things
    is_update = (
        fact.is_news and fact.stem == other.stem and fact.stated >= other.stated != frozenset()
    )
    return (
        is_changed_attitude
        or is_update
        or _has_another_value(fact, other)
        or _is_elsewhere(fact, other)
    )


def _has_new_number(fact: Fact, other: Fact) -> bool:
    """Whether both are equal except for numbers, days and names: `I'm in my third year now`."""
    is_same = fact.frame == other.frame or other.frame.startswith(f"{fact.frame} of ")
    if fact.is_measure and fact.complement.lead in {"down to", "up to"}:
        is_same |= other.frame.endswith(fact.frame.removeprefix("be"))
    return bool(fact.frame) and is_same and (fact.is_news or fact.is_measure)


def _has_new_amount(fact: Fact, other: Fact) -> bool:
    """Whether a thing has another amount: `My rent is now 900 euros` after `I pay 800 in rent`."""
    if not (fact.is_news and "#" in fact.frame and "#" in other.frame):
        return False
    said = content_stems(fact.frame) | fact.subject.stems | {other.stem}
    return fact.subject.owner == other.subject.entity and (
        said - _AROUND_AMOUNTS == content_stems(other.frame) - _AROUND_AMOUNTS
    )


def _changes_routine(fact: Fact, other: Fact) -> bool:
    """Whether both state something that one does in one way at a time, such as going to work."""
    is_switch = fact.stem in _SWITCHING
    is_occasional = fact.statement.is_limited and not other.statement.is_limited
    if not (fact.is_news or is_switch) or is_occasional or other.is_ending:
        return False
    (ways, around), (known, around_known) = _ways(fact), _ways(other)
    is_same = ways.keys() == known.keys()
    is_less = ways.keys() < known.keys() and fact.stem == other.stem
    is_brief = (is_same or is_less) and around <= around_known and not fact.is_qualified
    changed = [kind for kind in ways if ways[kind] != known.get(kind)]
    return len(changed) == 1 and (is_brief or (is_same and around == around_known))


def _ways(fact: Fact) -> tuple[dict[str, frozenset[str]], frozenset[str]]:
    """Returns the words of each kind of `one_at_a_time`, and the other words except function words.

    A verb of such a kind counts only before a destination: `I cycle to work`.
    """
    if fact.stem not in _ROUTINE and not (fact.stem in _KIND_OF and fact.complement.lead == "to"):
        return {}, frozenset()
    tokens = (*fact.statement.tokens[: fact.statement.begin], *fact.statement.rest)
    stems = content_stems(_NEWS.sub("", joined(tokens).lower())) | {fact.stem}
    kinds = {kind: stems & words for kind, words in _KINDS.items() if stems & words}
    return kinds, stems - _ROUTINE - FUNCTION_STEMS - _KIND_OF.keys()


def _is_another(fact: Fact, other: Fact) -> bool:
    """Whether it states what took the place of the only thing in the other fact.

    Either both are of one kind (`I moved to the sales team`, `I have short hair now`), or the new
    one serves the same purpose (`I switched to Brave as my browser`), or nothing is said of it but
    the switch (`I switched to tea`).
    """
    is_switch = fact.stem in _SWAPPING and fact.complement.lead.endswith("to")
    if not (is_switch or fact.is_news):
        return False
    new, old = fact.complement.items, other.complement.items
    is_present = not (fact.statement.is_planned or other.statement.is_past or other.is_ending)
    if not (is_present and len(new) == len(old) == 1) or other.attitude:
        return False
    is_same_kind = new[0].head == old[0].head
    if not is_switch:
        is_plain = not (fact.is_qualified or other.complement.tail or new[0].kind)
        return is_same_kind and is_plain and fact.is_like(other)
    is_move = fact.stem == _MOVE
    if is_same_kind:
        return not (other.is_qualified or (is_move and other.stem in lexicon.POSSESSING))
    if purpose := content_stems(joined(fact.complement.tail)) - FUNCTION_STEMS:
        return purpose <= other.words
    is_served = other.stem in _SERVING or (other.stem == "be" and other.complement.lead == "with")
    is_one_kind = new[0].is_name == old[0].is_name and new[0].head not in _KIND_OF
    return is_served and is_one_kind and not is_move


def _has_another_value(fact: Fact, other: Fact) -> bool:
    if not fact.slots:
        return False
    shared = [s for s, value in fact.slots.items() if other.slots.get(s, value) != value]
    return any(
        is_functional(s) or s.rpartition("'s ")[2] in UNIQUE_RELATIONS or fact.is_news
        for s in shared
    )


def _is_correction(fact: Fact, other: Fact) -> bool:
    """Whether a fact corrects the other: `I live in Ulm, not Bonn`."""
    is_denied = fact.is_correction or (other.things and other.things <= fact.contrast)
    return bool(is_denied and (fact.contrast or fact.is_like(other)))


def _is_narrowed(fact: Fact, other: Fact) -> bool:
    """Whether a fact leaves only some items of the other: `I only teach history now`."""
    statement = fact.statement
    between = statement.tokens[statement.end : len(statement.tokens) - len(statement.rest)]
    return "only" in lowered(between) and fact.is_like(other) and fact.things < other.things


def _is_elsewhere(fact: Fact, other: Fact) -> bool:
    """Whether both state where one spends the days, or what one chooses: `I prefer tea now`."""
    is_staying = fact.stem in _STAYING and fact.complement.lead in _CIRCUMSTANCES
    is_event = fact.statement.is_past or other.statement.is_past
    is_one = is_staying or fact.stem in _CHOOSING
    return fact.is_news and is_one and fact.is_like(other) and not is_event


def _is_found(fact: Fact, other: Fact) -> bool:
    """Whether the other fact states a search or a wait, and this one its success."""
    rest, words = other.statement.rest, lowered(other.statement.rest)
    is_awaited = (other.stem in _PREPARING or "waiting" in words) and fact.statement.is_past
    is_sought = other.stem in _SEEKING and fact.stem in _FINDING
    if "for" not in words or not (is_awaited or is_sought):
        return False
    aims = read_complement(rest[words.index("for") + 1 :], after_be=False).items
    return any(
        found.stems <= aim.stems or (is_sought and found.head == aim.head)
        for found in fact.complement.items[:1]
        for aim in aims
    )


def _is_done(fact: Fact, other: Fact) -> bool:
    """Whether the other fact is a plan that has been carried out: `I am moving to Rome in May`."""
    is_past = fact.statement.is_past or fact.statement.is_perfect
    is_same = fact.is_like(other) and fact.things == other.things != frozenset()
    return other.statement.is_planned and is_past and is_same


def _is_rescheduled(fact: Fact, other: Fact) -> bool:
    """Whether an appointment has another time, or is over: `the interview is on Friday now`."""
    if fact.stem in _EXAM_RESULTS and fact.statement.is_past:
        named = fact.complement.items[0].stems if fact.complement.items else frozenset()
    elif (fact.is_news or fact.is_moved) and states_quantity(fact.statement.rest):
        named = fact.subject.stems - _APPOINTMENTS or fact.subject.stems
    else:
        return False
    is_theirs = fact.subject.owner == other.subject.owner
    is_ahead = states_quantity(other.statement.rest) and not other.statement.is_past
    return is_theirs and is_ahead and frozenset() < named <= other.words


_CHANGES = (
    _has_new_number,
    _is_rescheduled,
    _is_correction,
    _is_found,
    _is_done,
    _changes_routine,
    _is_another,
)
"""What a change of a fact can be even if one of the facts is qualified."""


def _is_kind_of(item: Item, general: Item) -> bool:
    """Whether somebody who has the item has the other: a kitten is a pet, but no dog."""
    kinds = {general.kind} | _MEMBERS.get(general.kind, frozenset())
    return general.head in _GENERAL and item.kind in kinds


def _is_opposite(fact: Fact, other: Fact) -> bool:
    """Whether a fact states what the other denies."""
    is_had = fact.stem in lexicon.POSSESSING and other.stem in lexicon.POSSESSING
    is_named = all(
        any(denied.stems <= item.stems or _is_kind_of(item, denied)
            for item in fact.complement.items)
        for denied in other.complement.items
    )  # fmt: skip
    has_been = other.stem == "be" and fact.complement.lead == other.complement.lead == "to"
    return not fact.is_ending and (is_had or has_been or fact.is_like(other)) and is_named
