"""Decides what of an earlier fact no longer holds once a new one is stated.

A fact replaces another if both state a property of one subject that has one value at a time; it
ends others by a verb such as `sell` or `quit`, or by denying them. When in doubt, nothing changes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

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
    (
        pattern.compiled(rule["phrase"]),
        pattern.compiled(rule.get("over", "(?!)")),
        word_set(rule.get("relations", "")),
        rule.get("named", False),
    )
    for rule in _RULES["ending"]
]
_UNIQUE_RELATIONS = frozenset(lexicon.KINSHIP[kin] for kin in UNIQUE_KIN)
_PARTNERS = word_set("dates engaged_to married_to partner_of")
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
_ENDED_BY_DENIAL = {
    ("work", "at"): {"works_at"}, ("work", "for"): {"works_at"}, ("work", "as"): {"works_as"},
    ("live", "in"): {"lives_in"}, ("be", "with"): {"works_at", *_PARTNERS},
}  # fmt: skip
_STAYING, _CHOOSING = stems("live stay work study teach sleep"), stems("prefer support")
_SWITCHING = stems("switch change move transfer start begin")
_ROUTINE = stems(listed("routine")) | _SWITCHING
_MEASURE, _YEAR = pattern("measure"), re.compile(r"\b(?:19|20)\d\d\b")


class Effect:
    """What a new fact changes in others."""

    def __init__(self, fact: Fact) -> None:
        self._fact = fact
        phrase, items = fact.clause.phrase, [content_stems(item) for item in fact.items]
        self._items = [item - _UNSAID or item for item in items]
        is_plain = not fact.has(Sense.RETRACTED | Sense.PLANNED | Sense.LIMITED)
        self._partings = {k for p, k in _PARTINGS if is_plain and p.match(phrase)}
        self._endings = [rule for rule in _ENDINGS if is_plain and rule[0].match(phrase)]
        if not fact.has(Sense.PAST | Sense.PERFECT | Sense.PROGRESSIVE) or not fact.items:
            self._partings.discard("giving up")
        if fact.has(Sense.PROGRESSIVE):
            self._partings.discard("disposal")

    @property
    def is_event(self) -> bool:
        """Whether the fact tells that something has ended."""
        return bool(self._fact.has(Sense.OVER) or self._partings or self._endings)

    def on(self, old: Fact) -> Gone:
        """Returns what of the other fact no longer holds."""
        new = self._fact
        shares = not new.about.isdisjoint(old.about)
        if old.has(Sense.RETRACTED):
            return () if shares and old.has(Sense.DENIED) and self._affirms(old) else None
        if old.stem != "be" and Effect(old)._partings:
            return None
        if self._is_over(old, shares):
            return ()
        gone = self._parted(old, shares)
        if gone is None and shares and new.has(Sense.RETRACTED):
            gone = self._denied(old)
        is_disliked = new.attitude < 0 < old.attitude and not (new.is_qualified or new.has(Sense.PAST))
        if gone is None and shares and is_disliked:
            gone = _named(map(content_stems, new.items), old)
        return () if gone is None and _replaces(new, old, shares) else gone

    def _is_over(self, old: Fact, shares: bool) -> bool:
        """Whether a rule says that the other fact, or a relation in it, is over.

        Both partners can end what they have in common.
        """
        partners = {r.target.key for r in old.relations if r.relation in _PARTNERS}
        is_partner = lexicon.KINSHIP.get(self._fact.subject.noun) in _PARTNERS
        is_partner |= not partners.isdisjoint(self._fact.subject.names)
        new, named = self._fact, content_stems(joined(self._fact.clause.rest))
        ended = _ENDED_BY_DENIAL.get((new.stem, new.lead), set()) if new.has(Sense.OVER) else set()
        for _, over, relations, is_named in [*self._endings, (None, None, ended, True)]:
            if not (shares or (is_partner and _PARTNERS & relations)):
                continue
            if over and over.match(old.clause.phrase):
                return True
            for stated in old.relations:
                target = content_stems(stated.target.name)
                is_meant = target <= named or not (is_named or self._names_another(target))
                if stated.relation in relations and is_meant and not new.is_qualified:
                    return True
        return False

    def _names_another(self, target: frozenset[str]) -> bool:
        """Whether the fact names something, such as another employer."""
        names = {token.lower for token in self._fact.clause.rest if token.is_name}
        return bool(names) and names.isdisjoint(target)

    def _parted(self, old: Fact, shares: bool) -> Gone:
        """Returns what of the other fact is over because of a thing that is gone."""
        new, subject = self._fact, self._fact.subject
        is_lost = "loss" in self._partings
        own = {f"{subject.owner.key}'s {thing}" for thing in new.things}
        if (is_lost and not subject.names.isdisjoint(old.about)) or (
            "disposal" in self._partings and not own.isdisjoint(old.about)
        ):
            return ()
        is_theirs = subject.owner in {old.subject.owner, old.subject.entity}
        is_value = old.stem == "be" and is_theirs and bool(old.subject.noun)
        for kind in self._partings:
            # `I stepped down as captain` ends being it, and `I left the club` being a member.
            is_member = new.lead.endswith("as") or _BELONGING & {*lowered(old.clause.rest[:3])}
            is_ended = old.stem in _PARTED[kind] or is_value or (old.stem == "be" and is_member)
            if kind == "loss" or not is_ended:
                continue
            if shares or is_value:
                return _named(self._items, old)
        is_held = is_lost and is_theirs and old.stem in _PARTED["loss"]
        return _named([subject.stems], old) if is_held else None

    def _denied(self, old: Fact) -> Gone:
        """Returns what the fact denies of the other, in the same words or more general ones."""
        new, is_over = self._fact, self._fact.has(Sense.OVER)
        if new.is_qualified or (new.has(Sense.PAST) and not is_over):
            return None
        is_same = new.is_like(old)
        is_same |= is_over and new.stem == "be" and old.clause.phrase.startswith("work as ")
        # `I drink coffee` is implied by `I like drinking coffee`.
        is_implied = is_over and old.stem in lexicon.TASTES | lexicon.USING
        is_implied &= new.stem in lexicon.USING | {"need"}
        if new.role or (not new.items and is_over and new.stem == old.stem):
            return ()
        if not new.items:
            return () if is_same and not old.items else None
        items = map(content_stems, new.items)
        return _named(items, old) if is_same or is_implied else None

    def _affirms(self, old: Fact) -> bool:
        """Whether the fact states what the other denies."""
        new = self._fact
        if new.is_qualified or old.is_qualified or self.is_event or new.has(Sense.DENIED):
            return False
        is_had = new.stem in lexicon.POSSESSING and old.stem in lexicon.POSSESSING
        denied = [content_stems(item) for item in old.items]
        return (is_had or new.is_like(old)) and all(
            any(words <= content_stems(item) for item in new.items) for words in denied
        )


def _named(things: Iterable[frozenset[str]], old: Fact) -> Gone:
    """Returns the items that contain all words of one of the things: `wine` names `red wine`."""
    is_list = not {",", "and"}.isdisjoint(lowered(old.tail))
    behind = frozenset() if is_list else content_stems(joined(old.tail))
    wanted = [words for words in things if words]
    found = [i for i in old.items if any(words <= content_stems(i) | behind for words in wanted)]
    return None if not found else tuple(found) if len(found) < len(old.items) else ()


def _replaces(new: Fact, old: Fact, shares: bool) -> bool:
    """Whether a fact gives another value of a property that has one value at a time."""
    if not shares:
        return _is_rescheduled(new, old)
    is_plan = old.has(Sense.PLANNED) and new.has(Sense.PAST | Sense.PERFECT)
    is_done = is_plan and new.stem == old.stem and bool(new.things & old.things)
    is_search = old.lead == "for" and old.has(Sense.PROGRESSIVE) and new.has(Sense.PAST)
    is_done |= is_search and any(content_stems(item) <= old.words for item in new.items)
    is_corrected = new.is_correction and new.is_like(old) and not new.has(Sense.RETRACTED)
    is_denied = not new.contrast.isdisjoint(" ".join(old.things).split())
    if is_done or is_corrected or is_denied or _has_other_value(new, old):
        return True
    is_dated = new.has(Sense.PAST) and bool(_YEAR.search(joined(new.clause.rest)))
    if new.is_qualified or old.is_qualified or new.has(Sense.PLANNED) or is_dated:
        return False
    is_changed = new.attitude * old.attitude < 0 and new.things == old.things
    return is_changed or _fills_slot(new, old) or _is_moved(new, old)


def _has_other_value(new: Fact, old: Fact) -> bool:
    """Whether both say the same except for a number, a day, a place or a way of doing it."""
    is_change = new.is_news or new.stem in _SWITCHING or bool(_MEASURE.match(new.clause.phrase))
    added, removed = new.values - old.values, old.values - new.values
    kinds = {kind for kind, _ in added | removed}
    if kinds - {"#", "@", ""}:
        added, removed = ({v for v in each if v[1] not in _ROUTINE} for each in (added, removed))
    kinds = {kind for kind, _ in added}
    is_one = len(kinds) == 1 and kinds == {kind for kind, _ in removed} != {""}
    is_event = new.has(Sense.PAST) and new.stem not in _SWITCHING
    return is_change and is_one and not (is_event or new.has(Sense.LIMITED))


def _fills_slot(new: Fact, old: Fact) -> bool:
    return any(
        is_functional(slot) or slot.rpartition(" ")[2] in _UNIQUE_RELATIONS or new.is_news
        for slot, value in new.slots.items()
        if old.slots.get(slot, value) != value
    )


def _is_moved(new: Fact, old: Fact) -> bool:
    """Whether both state where one spends the days, or what one chooses: `I prefer tea now`."""
    is_staying = new.stem in _STAYING and new.lead in {"at", "in", "for", "as", "on", "near"}
    is_event = new.has(Sense.PAST) or old.has(Sense.PAST)
    return new.is_like(old) and new.is_news and not is_event and (is_staying or new.stem in _CHOOSING)


def _is_rescheduled(new: Fact, old: Fact) -> bool:
    """Whether a thing that the other names has another time or amount now."""
    told = [any(map(lexicon.is_quantity, lowered(fact.clause.rest))) for fact in (new, old)]
    is_theirs = new.subject.owner == old.subject.owner and not new.subject.is_somebody
    is_told = new.is_news and all(told) and not old.has(Sense.PAST)
    return is_theirs and is_told and frozenset() < new.subject.stems <= old.words
