"""Decides what of an earlier fact no longer holds once a new one is stated.

A fact replaces another if both state a property of one subject that has one value at a time; it
ends others by a verb such as `sell` or `quit`, or by denying them. When in doubt, nothing changes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from server.core.patterns import data_file
from server.graph.project.supersession import is_functional
from server.models.offline import lexicon
from server.models.offline.facts import Fact
from server.models.offline.lexicon import listed, pattern, stems, word_set
from server.models.offline.people import UNIQUE_KIN, content_stems
from server.models.offline.tokens import joined, lowered
from server.models.offline.verbs import Sense

Gone = tuple[str, ...] | None
"""The items of a fact that no longer hold: () if nothing of it does, None if all of it does."""

_RULES = data_file(lexicon.PACKAGE, "rules")
_PARTINGS = [(pattern.compiled(rule["phrase"]), rule["kind"]) for rule in _RULES["parting"]]
_ENDINGS = [
    (*map(pattern.compiled, (rule["phrase"], rule["over"])), word_set(rule["relations"]))
    for rule in _RULES["ending"]
]
_SEVERAL, _SOFT = (
    listed("several_kin") | lexicon.PETS.keys(),
    word_set("works_as follows_diet dates"),
)
_PARTNERS = word_set("dates engaged_to married_to partner_of")
_LEFT = _PARTNERS | word_set("works_at works_as lives_in")
_HELD = lexicon.POSSESSING | stems("collect")
_DONE = lexicon.USING | lexicon.TASTES | _HELD
_PARTED = {
    "disposal": _HELD,
    "giving up": _DONE,
    "switch": _DONE | stems("live stay go attend study work"),
    "loss": _HELD | stems("be learn study take attend do play train"),
}
"""The verbs of the facts that each kind of parting can end."""

_UNSAID = content_stems("subscription membership job position trip school degree course lessons")
_BELONGING = word_set("member subscriber subscribed part in on enrolled")
_STAYING = stems("live stay work study teach sleep prefer support")
_SWITCHING = stems("switch change move transfer start begin")
_ROUTINE = stems(listed("routine")) | _SWITCHING
_MEASURE, _YEAR = pattern("measure"), re.compile(r"\b(?:19|20)\d\d\b")


class Effect:
    """What a new fact changes in others."""

    def __init__(self, fact: Fact) -> None:
        self._fact = fact
        self._items = [content_stems(item) for item in fact.items]
        is_plain = not fact.has(Sense.RETRACTED | Sense.PLANNED | Sense.LIMITED)
        phrase = fact.clause.phrase
        self._kinds = {kind for p, kind in _PARTINGS if is_plain and p.match(phrase)}
        self._endings = [rule for rule in _ENDINGS if is_plain and rule[0].match(phrase)]
        if not fact.has(Sense.PAST | Sense.PROGRESSIVE):
            self._kinds.discard("giving up")

    @property
    def is_event(self) -> bool:
        """Whether the fact tells that something has ended."""
        return bool(self._fact.has(Sense.OVER) or self._kinds or self._endings)

    def on(self, old: Fact) -> Gone:
        """Returns what of the other fact no longer holds."""
        new = self._fact
        shares = not new.about.isdisjoint(old.about)
        if old.has(Sense.RETRACTED):
            return () if shares and old.has(Sense.DENIED) and self._affirms(old) else None
        if old.stem != "be" and Effect(old)._kinds:
            return None
        own = {f"{new.subject.owner.key}'s {thing}" for thing in new.things}
        is_lost = "loss" in self._kinds and not new.subject.names.isdisjoint(old.about)
        is_disposed = "disposal" in self._kinds and not own.isdisjoint(old.about)
        partners = {r.target.key for r in old.relations if r.relation in _PARTNERS}
        is_partner = lexicon.KINSHIP.get(new.subject.noun) in _PARTNERS
        is_mutual = is_partner or not partners.isdisjoint(new.subject.names)
        if is_lost or is_disposed or self._is_over(old, shares=shares, is_mutual=is_mutual):
            return ()
        for things in self._ended(old, shares):
            if (gone := _named(things, old)) is not None:
                return gone
        return () if _replaces(new, old, shares) else None

    def _is_over(self, old: Fact, *, shares: bool, is_mutual: bool) -> bool:
        """Whether a rule says that the other fact, or a relation in it, is over.

        What partners have in common is `is_mutual`: either can end it.
        """
        rest = self._fact.clause.rest
        named, names = content_stems(joined(rest)), {t.lower for t in rest if t.is_name}
        for _, over, relations in self._endings:
            if not (shares or (is_mutual and _PARTNERS & relations)):
                continue
            if over.match(old.clause.phrase):
                return True
            for stated in old.relations:
                # `I left Acme` ends no work elsewhere.
                is_meant = not names or content_stems(stated.target.name) <= named
                if stated.relation in relations and is_meant and not self._fact.is_qualified:
                    return True
        return False

    def _ended(self, old: Fact, shares: bool) -> Iterator[Sequence[frozenset[str]]]:
        """Yields what the fact ends of facts with such a subject and verb, by its words."""
        new, subject = self._fact, self._fact.subject
        is_theirs = subject.owner in {old.subject.owner, old.subject.entity}
        is_value = old.stem == "be" and is_theirs and bool(old.subject.noun)
        for kind in self._kinds:
            # `I stepped down as captain` ends being it, and `I left the club` being a member.
            is_member = new.lead.endswith("as") or _BELONGING & {*lowered(old.clause.rest[:3])}
            is_ended = old.stem in _PARTED[kind] or is_value or (old.stem == "be" and is_member)
            if kind == "loss" and is_ended and is_theirs:
                yield [subject.stems]
            elif is_ended and (shares or is_value):
                yield [words - _UNSAID or words for words in self._items]
        if not shares or new.is_qualified:
            return
        is_over = new.has(Sense.OVER)
        if new.attitude < 0 < old.attitude and (is_over or not new.has(Sense.PAST)):
            yield self._items
        if new.has(Sense.RETRACTED) and (is_over or not new.has(Sense.PAST)):
            # `I drink coffee` is implied by `I like drinking coffee`.
            is_implied = is_over and new.stem in lexicon.USING and old.stem in lexicon.TASTES
            is_same = is_over and not new.items and new.stem == old.stem
            is_left = is_over and any(
                r.relation in _LEFT and content_stems(r.target.name) <= new.words
                for r in old.relations
            )
            if new.role or is_same or is_left:
                yield [*map(content_stems, old.items), frozenset({old.stem})]
            elif new.is_like(old) or is_implied:
                yield self._items or [frozenset({old.stem})]

    def _affirms(self, old: Fact) -> bool:
        """Whether the fact states what the other denies."""
        new = self._fact
        if new.is_qualified or old.is_qualified or self.is_event or new.has(Sense.DENIED):
            return False
        is_had = new.stem in lexicon.POSSESSING and old.stem in lexicon.POSSESSING
        denied = [content_stems(item) for item in old.items]
        is_stated = all(any(words <= item for item in self._items) for words in denied)
        return is_stated and (is_had or new.is_like(old))


def _named(things: Sequence[frozenset[str]], old: Fact) -> Gone:
    """Returns the items that contain all words of one of the things: `wine` names `red wine`."""
    is_list = not {",", "and"}.isdisjoint(lowered(old.tail))
    behind = frozenset() if is_list else content_stems(joined(old.tail))
    if not old.items:
        return () if any(words and words <= old.words for words in things) else None
    found = tuple(
        item
        for item in old.items
        if any(words and words <= content_stems(item) | behind for words in things)
    )
    return None if not found else found if len(found) < len(old.items) else ()


def _replaces(new: Fact, old: Fact, shares: bool) -> bool:
    """Whether a fact gives another value of a property that has one value at a time."""
    if not shares:
        return _is_rescheduled(new, old)
    is_event = new.has(Sense.PAST) or old.has(Sense.PAST)
    is_plan = old.has(Sense.PLANNED) and new.stem == old.stem and bool(new.things & old.things)
    is_search = old.lead == "for" and old.has(Sense.PROGRESSIVE)
    is_found = is_search and any(content_stems(item) <= old.words for item in new.items)
    is_corrected = new.is_correction and new.is_like(old) and not new.has(Sense.RETRACTED)
    is_denied = not new.contrast.isdisjoint(" ".join(old.things).split())
    if is_corrected or is_denied or (new.has(Sense.PAST) and (is_plan or is_found)):
        return True
    if _has_other_value(new, old):
        return True
    is_dated = new.has(Sense.PAST) and bool(_YEAR.search(joined(new.clause.rest)))
    if new.is_qualified or old.is_qualified or new.has(Sense.PLANNED) or is_dated:
        return False
    is_moved = new.is_news and new.is_like(old) and new.stem in _STAYING and not is_event
    is_changed = new.attitude * old.attitude < 0 and new.things == old.things
    return (
        is_moved
        or is_changed
        or _is_another(new, old)
        or any(
            r.subject == s.subject
            and r.target != s.target
            and (is_functional(r.relation) or (new.is_news and r.relation in _SOFT))
            for r in new.relations
            for s in old.relations
        )
    )


def _is_another(new: Fact, old: Fact) -> bool:
    """Whether both say who somebody's boss is, or what or where something of theirs is."""
    nouns = [fact.role.partition("'s ")[2] or fact.subject.noun for fact in (new, old)]
    noun = nouns[0].rpartition(" ")[2]
    is_told = new.stem == old.stem == "be" and all(nouns) and not new.has(Sense.FORMER)
    is_single = new.subject.is_new or new.is_news or noun in UNIQUE_KIN
    is_several = noun in _SEVERAL and "best" not in nouns[0]
    is_value = new.where == old.where and new.clause.phrase != old.clause.phrase
    return is_told and is_single and is_value and not is_several


def _has_other_value(new: Fact, old: Fact) -> bool:
    """Whether both say the same except for a number, a day, a place or a way of doing it."""
    is_change = new.is_news or new.stem in _SWITCHING or bool(_MEASURE.match(new.clause.phrase))
    is_event = new.has(Sense.LIMITED) or (new.has(Sense.PAST) and new.stem not in _SWITCHING)
    added, removed = new.values - old.values, old.values - new.values
    if {kind for kind, _ in added | removed} - {"#", "@", ""}:
        added, removed = ({v for v in each if v[1] not in _ROUTINE} for each in (added, removed))
    kinds = {kind for kind, _ in added}
    is_one = len(kinds) == 1 and kinds == {kind for kind, _ in removed} != {""}
    return is_change and is_one and not is_event


def _is_rescheduled(new: Fact, old: Fact) -> bool:
    """Whether a thing that the other names has another time or amount now."""
    told = [any(map(lexicon.is_quantity, lowered(fact.clause.rest))) for fact in (new, old)]
    is_theirs = new.subject.owner == old.subject.owner and not new.subject.is_somebody
    is_told = new.is_news and all(told) and not old.has(Sense.PAST)
    return is_theirs and is_told and frozenset() < new.subject.stems <= old.words
