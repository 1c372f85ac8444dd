"""Decides what of an earlier fact no longer holds once a new one is stated.

A fact replaces another if both state a property of one subject that has one value at a time; it
ends others by a verb such as `sell` or `quit`, or by denying them. When in doubt, nothing changes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from server.core.patterns import data_file
from server.graph.project.supersession import is_functional
from server.models.offline import lexicon
from server.models.offline.facts import Fact
from server.models.offline.lexicon import listed, pattern, stems, word_set
from server.models.offline.people import UNIQUE_KIN, content_stems
from server.models.offline.reading import read_complement
from server.models.offline.tokens import joined, lowered
from server.models.offline.verbs import Sense

Gone = tuple[str, ...] | None
"""The items of a fact that no longer hold, () if nothing of it does, None if all of it does."""

_RULES = data_file(lexicon.PACKAGE, "rules")
_PARTINGS = [(pattern.compiled(rule["phrase"]), rule["kind"]) for rule in _RULES["parting"]]
_ENDINGS = [
    (
        pattern.compiled(rule["phrase"]),
        pattern.compiled(rule.get("over", "(?!)")),
        word_set(rule.get("relations", "")),
        rule.get("named", False),
        rule.get("about", ""),
    )
    for rule in _RULES["ending"]
]
_UNIQUE_RELATIONS = frozenset(lexicon.KINSHIP[kin] for kin in UNIQUE_KIN)
_PARTNERS = word_set("dates engaged_to married_to partner_of")
_PARENTS = word_set("child_of son_of daughter_of")
_HELD = lexicon.POSSESSING | stems("collect")
_DONE = lexicon.USING | lexicon.TASTES | lexicon.POSSESSING
_LIVING, _ATTENDING = stems("live stay"), stems("go attend study work")
_STAYING, _CHOOSING = stems("live stay work study teach sleep"), stems("prefer support")
_LEARNING = stems("learn study take attend do play train practise")
_SWITCHING = stems("switch change move transfer upgrade downgrade start begin")
_PREPARING = stems("train prepare practise practice study revise save wait")
_SEEKING, _FINDING = stems("look search"), stems("find get buy adopt have land start")
_AMBIGUOUS = stems("drop leave stop")
_UNSAID = content_stems(
    "subscription membership job position trip flight journey holiday vacation visit school degree"
    " course class lessons"
)
_ACTIVITIES = listed("activities")
_BELONGING = word_set("member subscriber subscribed part in on enrolled")
_ENDED_BY_DENIAL = {
    ("work", "at"): {"works_at"}, ("work", "for"): {"works_at"}, ("work", "as"): {"works_as"},
    ("live", "in"): {"lives_in"}, ("be", "with"): {"works_at", *_PARTNERS},
}  # fmt: skip
_GROUPS = {
    (f"{each}_of", "person"): (f"{group}_of", "person")
    for each, group in {"brother": "sibling", "sister": "sibling", "son": "child", "daughter": "child"}.items()
}
_GENERAL = stems("pet kid child children sibling")
_ROUTINE = stems(listed("routine")) | _SWITCHING
_MEASURE, _YEAR = pattern("measure"), re.compile(r"\b(?:19|20)\d\d\b")


class Effect:
    """What a new fact changes in others."""

    def __init__(self, fact: Fact) -> None:
        self._fact = fact
        self._is_denial = fact.has(Sense.RETRACTED)
        is_open = self._is_denial or fact.has(Sense.PLANNED | Sense.LIMITED)
        phrase = fact.clause.phrase
        self._partings = set() if is_open else {k for p, k in _PARTINGS if p.match(phrase)}
        if not fact.has(Sense.PAST | Sense.PERFECT | Sense.PROGRESSIVE) or not fact.items:
            self._partings.discard("giving up")
        if fact.has(Sense.PROGRESSIVE):
            self._partings.discard("disposal")
        self._endings = [] if is_open else [rule for rule in _ENDINGS if rule[0].match(phrase)]

    @property
    def is_ending(self) -> bool:
        """Whether the fact states that something has ended."""
        ends_relation = any(relations for _, _, relations, _, _ in self._endings)
        return bool(self._is_denial or self._partings or ends_relation)

    @property
    def is_event(self) -> bool:
        """Whether the fact tells of a change, and not only denies something."""
        is_over = self._fact.has(Sense.OVER)
        return bool(is_over or self._partings or self._endings)

    def on(self, old: Fact) -> Gone:
        """Returns what of the other fact no longer holds."""
        new = self._fact
        if (old.stem != "be" or old.has(Sense.RETRACTED)) and Effect(old).is_ending:
            return () if old.has(Sense.DENIED) and self._affirms(old) else None
        shares = not new.about.isdisjoint(old.about)
        if self._is_over(old, shares):
            return _items_of(old, [i for i in old.items if new.subject.stems <= content_stems(i)])
        gone = self._parted(old, shares)
        if gone is None and shares and self._is_denial:
            gone = self._denied(old)
        if gone is None and shares and new.attitude < 0 < old.attitude and self._is_firm():
            gone = _items_of(old, [i for i in old.items if i.casefold() in new.things])
            gone = gone if new.things & old.things else None
        if gone is None and _replaces(new, old, shares):
            gone = ()
        return gone

    def _is_firm(self) -> bool:
        return not (self._fact.is_qualified or self._fact.has(Sense.PAST))

    # --- endings ----------------------------------------------------------------------------------

    def _is_over(self, old: Fact, shares: bool) -> bool:
        """Whether a rule says that the other fact, or a relation in it, is over."""
        new = self._fact
        for _, over, relations, is_named, about in self._endings:
            if over.match(old.clause.phrase) and self._concerns(old, shares, about):
                if about != "place" or not self._is_elsewhere(old):
                    return True
            if relations and self._ends_relation(old, relations, is_named, about):
                return True
        ended = _ENDED_BY_DENIAL.get((new.stem, new.lead), set()) if new.has(Sense.OVER) else set()
        return bool(ended) and self._ends_relation(old, ended, True, "")

    def _concerns(self, old: Fact, shares: bool, about: str) -> bool:
        """Whether a rule is about the other fact, by their subjects."""
        new = self._fact
        subject = new.subject
        if shares:
            return True
        is_theirs = subject.owner == old.subject.entity
        if about == "thing":
            named = subject.stems
            is_named = is_theirs and frozenset() < named <= old.words
            return is_named or not new.own_things.isdisjoint(old.about)
        kin = lexicon.KINSHIP.get(subject.noun, "")
        if about == "party":
            is_named = subject.entity.key in {r.target.key for r in old.relations}
            return is_theirs and (is_named or kin in {*_PARTNERS, "manager_of"})
        is_partners = lexicon.KINSHIP.get(old.subject.noun) in _PARTNERS
        parents = {old.subject.entity, old.subject.owner if is_partners else None}
        return about == "family" and kin in {"", *_PARENTS} and subject.owner in parents

    def _ends_relation(
        self, old: Fact, relations: Iterable[str], is_named: bool, about: str
    ) -> bool:
        """Whether the fact ends one of the relations in the other."""
        new = self._fact
        if new.is_qualified:
            return False
        for relation in old.relations:
            ends = {relation.source.key}
            if relation.relation in _PARTNERS or about == "party":
                ends.add(relation.target.key)
            if relation.relation in relations and not ends.isdisjoint(new.subject.names):
                target = content_stems(relation.target.name)
                named = content_stems(" ".join([*new.items, *lowered(new.tail)]))
                if target <= named if is_named else not self._is_elsewhere(old):
                    return True
        return False

    def _is_elsewhere(self, old: Fact) -> bool:
        """Whether the fact names a place or person that the other does not name."""
        names = {t.lower for t in self._fact.clause.rest if t.is_name}
        return bool(names) and names.isdisjoint(lowered(old.clause.rest))

    # --- things given up, disposed of, or lost ----------------------------------------------------

    def _parted(self, old: Fact, shares: bool) -> Gone:
        """Returns what of the other fact is over because of a thing that is gone."""
        new, kinds = self._fact, self._partings
        is_value = old.stem == "be" and old.subject.owner == new.subject.entity
        if "loss" in kinds:
            return self._lost(old)
        if "disposal" in kinds and not new.own_things.isdisjoint(old.about):
            return ()
        if kinds & {"switch", "disposal"} and (shares or is_value):
            held = _DONE | _LIVING | _ATTENDING if "switch" in kinds else _HELD
            return _named(map(content_stems, new.items), old) if is_value or old.stem in held else None
        if "change" in kinds and (is_value or old.stem in _ATTENDING):
            is_meant = any(content_stems(item) <= old.words for item in new.items)
            return () if is_meant else None
        if "giving up" in kinds and shares:
            found = [content_stems(item) for item in new.items]
            named = [words - _UNSAID or words for words in found]
            return _named(named, old) if self._can_give_up(old) else None
        return None

    def _can_give_up(self, old: Fact) -> bool:
        """Whether giving up something can end the other fact. `Leave` and `drop` mean much else."""
        new = self._fact
        if old.stem == "be":
            is_office = new.lead in {"down as", "as"} or old.subject.noun in _ACTIVITIES
            return is_office or not _BELONGING.isdisjoint(lowered(old.clause.rest[:3]))
        if old.lead == "with":
            return True
        is_clear = new.stem not in _AMBIGUOUS or new.has(Sense.PERFECT) or old.stem in _LEARNING
        return is_clear and (old.stem in _DONE or old.has(Sense.PROGRESSIVE))

    def _lost(self, old: Fact) -> Gone:
        """Returns what of the other fact ends because its subject or possession is gone."""
        subject = self._fact.subject
        if not subject.names.isdisjoint(old.about):
            return ()
        is_held = old.stem in _HELD | _LEARNING | {"be"}
        is_theirs = subject.owner in {old.subject.owner, old.subject.entity}
        return _named([subject.stems], old) if is_held and is_theirs else None

    # --- denials ----------------------------------------------------------------------------------

    def _denied(self, old: Fact) -> Gone:
        """Returns what the fact denies of the other, in the same words or more general ones."""
        new, is_over = self._fact, self._fact.has(Sense.OVER)
        if new.is_qualified or (new.has(Sense.PAST) and not is_over):
            return None
        if new.role:
            return ()
        is_same = (new.stem, new.lead) == (old.stem, old.lead)
        is_same |= is_over and new.stem == "be" and old.clause.phrase.startswith("work as ")
        # `I drink coffee` is implied by `I like drinking coffee`.
        is_implied = is_over and old.stem in lexicon.TASTES | lexicon.USING
        is_implied &= new.stem in lexicon.USING | {"need"}
        if not new.items:
            return () if (is_same and not old.items) or (is_over and new.stem == old.stem) else None
        if not (is_same or is_implied):
            return None
        return _named(map(content_stems, new.items), old)

    def _affirms(self, old: Fact) -> bool:
        """Whether the fact states what the other denies."""
        new = self._fact
        if new.is_qualified or old.is_qualified or self.is_ending or new.about.isdisjoint(old.about):
            return False
        is_had = new.stem in lexicon.POSSESSING and old.stem in lexicon.POSSESSING
        is_like = is_had or (new.stem, new.lead) == (old.stem, old.lead)
        return is_like and all(any(_is_kind(i, d) for i in new.items) for d in old.items)


def _is_kind(item: str, denied: str) -> bool:
    """Whether somebody who has the item has the other: a kitten is a pet, but no dog."""
    if content_stems(denied) <= content_stems(item):
        return True
    kinds = [lexicon.kind_of(words.split()[-1]) for words in (item, denied)]
    is_general = not content_stems(denied).isdisjoint(_GENERAL)
    return is_general and None not in kinds and kinds[1] in (kinds[0], _GROUPS.get(kinds[0]))


def _named(things: Iterable[frozenset[str]], old: Fact) -> Gone:
    """Returns the items that contain all words of one of the things: `wine` names `red wine`."""
    known = [(item, content_stems(item) | old.tail_stems) for item in old.items]
    wanted = [words for words in things if words]
    found = [item for item, stated in known if any(words <= stated for words in wanted)]
    return _items_of(old, found) if found else None


def _items_of(old: Fact, gone: Sequence[str]) -> tuple[str, ...]:
    """Returns these items; () if they are all items or none."""
    return tuple(gone) if len(gone) < len(old.items) else ()


# --- replacing ------------------------------------------------------------------------------------


def _replaces(new: Fact, old: Fact, shares: bool) -> bool:
    """Whether a fact gives another value of a property that has one value at a time."""
    if not shares:
        return _is_rescheduled(new, old)
    if _has_other_parts(new, old) or _is_correction(new, old) or _is_achieved(new, old):
        return True
    if _is_another(new, old):
        return True
    is_dated = new.has(Sense.PAST) and bool(_YEAR.search(joined(new.clause.rest)))
    if new.is_qualified or old.is_qualified or new.has(Sense.PLANNED) or is_dated:
        return False
    is_narrowed = "only" in lowered(new.clause.tokens) and new.things < old.things
    if is_narrowed and (new.stem, new.lead) == (old.stem, old.lead):
        return True
    is_changed = new.attitude * old.attitude < 0 and new.things == old.things
    return is_changed or _has_another_value(new, old) or _is_moved(new, old)


def _has_other_parts(new: Fact, old: Fact) -> bool:
    """Whether both say the same except for a number, a day, a place or a way of doing it."""
    (values, others), (known, others_known) = new.parts, old.parts
    is_measure = bool(_MEASURE.match(new.clause.phrase))
    if not (new.is_news or is_measure or new.stem in _SWITCHING):
        return False
    if new.has(Sense.PAST | Sense.LIMITED) and new.stem not in _SWITCHING:
        return False
    if not values.keys() <= {"#", "@"}:
        others, others_known = others - _ROUTINE, others_known - _ROUTINE
    return values.keys() == known.keys() and values != known and others == others_known


def _has_another_value(new: Fact, old: Fact) -> bool:
    shared = [s for s, value in new.slots.items() if old.slots.get(s, value) != value]
    return any(
        is_functional(s) or s.rpartition(" ")[2] in _UNIQUE_RELATIONS or new.is_news for s in shared
    )


def _is_correction(new: Fact, old: Fact) -> bool:
    """Whether a fact corrects the other: `I live in Ulm, not Bonn`."""
    denied = frozenset(" ".join(old.things).split()) & new.contrast
    is_like = (new.stem, new.lead) == (old.stem, old.lead)
    return bool(denied) or (new.is_correction and is_like and not new.has(Sense.RETRACTED))


def _is_achieved(new: Fact, old: Fact) -> bool:
    """Whether the other fact states a plan, a search or a wait, and this one its success."""
    is_past = new.has(Sense.PAST | Sense.PERFECT)
    if old.has(Sense.PLANNED):
        return is_past and new.stem == old.stem and bool(new.things & old.things)
    found = lowered(old.clause.rest)
    is_awaited = old.stem in _PREPARING and is_past
    is_sought = old.stem in _SEEKING and new.stem in _FINDING
    if "for" not in found or not (is_awaited or is_sought):
        return False
    _, aims, _ = read_complement(old.clause.rest[found.index("for") + 1 :], after_be=False)
    return any(content_stems(new.items[0]) <= content_stems(aim) for aim in aims if new.items)


def _is_another(new: Fact, old: Fact) -> bool:
    """Whether it states what took the place of the only thing in the other fact.

    Both are of one kind (`I moved to the sales team`, `I have short hair now`), or the new one
    serves the same purpose (`I switched to Brave as my browser`).
    """
    is_switch = new.stem in _SWITCHING and new.lead.endswith("to")
    is_present = not (new.has(Sense.PLANNED) or old.has(Sense.PAST))
    if not (is_switch or new.is_news) or not is_present or not len(new.items) == len(old.items) == 1:
        return False
    heads = [content_stems(item.split()[-1]) for item in (new.items[0], old.items[0])]
    if not is_switch:
        is_like = (new.stem, new.lead) == (old.stem, old.lead)
        is_plain = not (new.is_qualified or old.tail or lexicon.kind_of(new.items[0].split()[-1]))
        return heads[0] == heads[1] and is_plain and is_like
    if heads[0] == heads[1]:
        return (new.stem != "move" or old.stem not in lexicon.POSSESSING) and not old.is_qualified
    purpose = content_stems(" ".join(lowered(new.tail)))
    return bool(purpose) and purpose <= old.words


def _is_moved(new: Fact, old: Fact) -> bool:
    """Whether both state where one spends the days, or what one chooses: `I prefer tea now`."""
    is_staying = new.stem in _STAYING and new.lead in {"at", "in", "for", "as", "on", "near"}
    is_like = (new.stem, new.lead) == (old.stem, old.lead)
    is_one = is_like and (is_staying or new.stem in _CHOOSING)
    return is_one and new.is_news and not (new.has(Sense.PAST) or old.has(Sense.PAST))


def _is_rescheduled(new: Fact, old: Fact) -> bool:
    """Whether a thing that the other names has another time or amount now."""
    has_value = any(lexicon.is_quantity(word) for word in lowered(new.clause.rest))
    had_value = any(lexicon.is_quantity(word) for word in lowered(old.clause.rest))
    is_theirs = new.subject.owner == old.subject.owner and not new.subject.is_somebody
    is_told = new.is_news and has_value and had_value and not old.has(Sense.PAST)
    return is_theirs and is_told and frozenset() < new.subject.stems <= old.words
