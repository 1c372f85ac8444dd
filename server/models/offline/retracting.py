"""Decides which part of another fact a fact retracts: it has ended, or its subject is gone.

Only named items of a list are removed. When in doubt, nothing is.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import takewhile

from server.graph.model import Relation
from server.models.offline import lexicon, status
from server.models.offline.facts import Fact
from server.models.offline.lexicon import Rule, word_set
from server.models.offline.people import Subject
from server.models.offline.phrases import FUNCTION_STEMS, Item, content_stems, is_period
from server.models.offline.sentences import joined, lowered

_AMBIGUOUS = lexicon.verbs_listed("ambiguous_ending")
_HAVING = lexicon.USING | lexicon.TASTES | lexicon.POSSESSING
_LIVING = lexicon.stems("live stay")
_BELONGING = word_set("member subscriber subscribed part in on enrolled")
_PLACES = word_set("in at for")
_FROM = word_set("from at in of")
_USE, _BY_MEANS = lexicon.verb_stem("use"), ("with", "by", "on")
_LIKING = frozenset({"into", "keen on", "fond of"})
_DYING = lexicon.stems("die")
_LEARNING = lexicon.stems("learn study take attend do play train practise practice")
_ATTENDING = lexicon.stems("go attend study work")
_HELD = lexicon.POSSESSING | lexicon.stems("collect")
_ARRANGEMENTS = content_stems("subscription membership job position")
_JOURNEYS = content_stems("trip flight journey holiday vacation visit")
_LESSONS = content_stems("school degree course class lessons")
_CHILDREN = word_set("child_of son_of daughter_of")


def retracted_items(fact: Fact, other: Fact) -> tuple[Item, ...] | None:
    """Returns what the first fact retracts of the other: items, () for all, None for nothing."""
    if other.is_ending:
        return None
    if _is_over(fact, other):
        subject = fact.subject.stems
        return _of(other, [item for item in other.complement.items if subject <= item.stems]) or ()
    is_shared = fact.shares_subject(other)
    if fact.ending.relations and not fact.is_qualified and (is_shared or other.tells_name):
        gone = _relation_ended(fact, other)
        if gone is not None:
            return gone
    return _ended_items(fact, other, is_shared=is_shared)


def _ended_items(fact: Fact, other: Fact, *, is_shared: bool) -> tuple[Item, ...] | None:
    """Returns what of the other fact has ended in the way that the first one states."""
    kinds = fact.ending.kinds
    is_value = other.stem == "be" and other.subject.owner == fact.subject.entity
    is_own = status.DISPOSAL in kinds and not fact.own_things.isdisjoint(other.about)
    if not kinds.isdisjoint({status.LOSS, status.RETURN}) or is_own:
        return _lost(fact, other)
    if not kinds.isdisjoint({status.SWITCH, status.DISPOSAL}) and (is_shared or is_value):
        return _parted_with(fact, other, is_value=is_value)
    if status.CHANGE in kinds and (is_value or other.stem in _ATTENDING):
        known = other.words if is_shared else content_stems(other.subject.text)
        # `I switched dentists`: theirs is another now.
        return () if any(item.stems <= known for item in fact.complement.items) else None
    return _no_longer_done(fact, other) if is_shared else None


def _no_longer_done(fact: Fact, other: Fact) -> tuple[Item, ...] | None:
    """Returns what of the other fact its subject has given up, dislikes now, or denies."""
    if status.GIVING_UP in fact.ending.kinds:
        return _given_up(fact, other)
    if _is_disliked(fact, other):
        return _of(other, [item for item in other.complement.items if item.key in fact.things])
    is_denied = status.DENIAL in fact.ending.kinds and not fact.is_qualified
    return _denied(fact, other) if is_denied else None


def _is_disliked(fact: Fact, other: Fact) -> bool:
    """Whether somebody now dislikes what the other fact says they like."""
    return fact.attitude < 0 < other.attitude and not (fact.is_qualified or fact.statement.is_past)


def _is_over(fact: Fact, other: Fact) -> bool:
    """Whether the other can no longer be true: `User is single` after `I met someone`."""
    is_now = (fact.statement.is_past or not fact.is_qualified) and not fact.is_dated
    return is_now and any(
        rule.over and rule.over.match(other.verb_phrase) and _concerns(rule, fact, other)
        for rule in fact.ending.over
    )


def _concerns(rule: Rule, fact: Fact, other: Fact) -> bool:
    """Whether the rule is about the other, by their subjects and by what the other names."""
    if fact.shares_subject(other):
        return rule.about != "place" or _is_in_place(fact, other)
    if rule.about == "thing":
        named = fact.subject.stems
        is_theirs = fact.subject.owner == other.subject.entity
        if not fact.own_things.isdisjoint(other.about):
            return True
        return is_theirs and frozenset() < named <= content_stems(other.verb_phrase)
    if rule.about == "owner":
        return fact.subject.kin != "" and fact.subject.owner == other.subject.entity
    if rule.about == "party":
        is_named = fact.subject.entity.key in {r.target.key for r in other.relations}
        is_kin = lexicon.KINSHIP.get(fact.subject.kin) in {*status.PARTNERS, "manager_of"}
        return (is_named or is_kin) and fact.subject.owner == other.subject.entity
    is_partner = lexicon.KINSHIP.get(other.subject.kin) in status.PARTNERS
    is_child = lexicon.KINSHIP.get(fact.subject.kin) in {None, *_CHILDREN}
    parents = {other.subject.entity, other.subject.owner if is_partner else None}
    return rule.about == "family" and is_child and fact.subject.owner in parents


def _is_in_place(fact: Fact, other: Fact, *, names_only: bool = False) -> bool:
    """Whether the other names the place that the fact names, if it does: `fired from the bar`."""
    words = list(takewhile(lambda token: token.lower != "because", fact.statement.rest))
    start = next((p for p, word in enumerate(words) if word.lower in _FROM), len(words))
    named = [
        word.lower
        for word in words[start + 1 :]
        if not (is_period(word.lower) or word.lower in lexicon.TIMES)
        and (word.is_name or not names_only)
    ]
    place = content_stems(" ".join(named)) - _ARRANGEMENTS - FUNCTION_STEMS
    return place <= content_stems(other.verb_phrase)


def _lost(fact: Fact, other: Fact) -> tuple[Item, ...] | None:
    """Returns what of the other fact ends because its subject or possession is gone, or back."""
    if fact.stem in _DYING and not fact.subject.is_somebody:
        return None  # A telephone that died may live on.
    lost = fact.subject.stems
    is_own = fact.subject.entity == fact.subject.owner
    gone = fact.own_things if is_own else fact.subject.names
    is_back = status.RETURN in fact.ending.kinds
    if not gone.isdisjoint(other.about):
        is_kept = is_back and (other.stem != "be" or other.complement.lead not in _PLACES)
        return None if is_kept or other.tells_name else ()
    is_held = other.stem in lexicon.POSSESSING | _LEARNING | {"be"}
    is_theirs = fact.subject.owner in {other.subject.owner, other.subject.entity}
    if not (is_held and is_theirs):
        return None
    return () if frozenset() < lost <= other.complement.tail_stems else _named([lost], other)


def _relation_ended(fact: Fact, other: Fact) -> tuple[Item, ...] | None:
    """Returns what of the other fact the verb ends, such as working somewhere."""
    is_named = fact.ending.is_named
    targets = [
        relation.target.key
        for relation in other.relations
        if relation.relation in fact.ending.relations and _takes_part(fact.subject, relation)
    ]
    if not targets or not (is_named or _is_in_place(fact, other, names_only=True)):
        return None
    named = fact.complement.places or (fact.things if is_named else frozenset())
    if not named:
        return None if is_named else ()
    words = frozenset(" ".join(named).split())
    gone = [item for item in other.complement.items if words.issuperset(item.key.split())]
    is_meant = any(words.issuperset(target.split()) for target in targets)
    return _of(other, gone) or (() if is_meant else None)


def _takes_part(subject: Subject, relation: Relation) -> bool:
    """Whether the subject can end the relation: both partners can, but only I can leave my job."""
    is_mutual = relation.relation in status.PARTNERS
    ends = {relation.source.key, relation.target.key if is_mutual else ""}
    return not ends.isdisjoint(subject.names)


def _parted_with(fact: Fact, other: Fact, *, is_value: bool) -> tuple[Item, ...] | None:
    """Returns what of the other fact is no longer owned: sold, lost, or replaced."""
    is_switch = status.SWITCH in fact.ending.kinds
    places, others = fact.complement.places, other.complement.places
    is_elsewhere = places and others and places.isdisjoint(others)
    is_held = is_value or other.stem in (_HAVING | _LIVING | _ATTENDING if is_switch else _HELD)
    return _matching(fact, other) if is_held and not is_elsewhere else None


def _denied(fact: Fact, other: Fact) -> tuple[Item, ...] | None:
    """Returns what a fact denies of another, in the same words or more general ones."""
    is_over = fact.statement.is_over
    if fact.statement.is_past and not (is_over or other.statement.is_past):
        return None
    if fact.role:
        return () if fact.about & other.about else None
    is_done_with = is_over and _is_needed_for(fact, other)
    is_done_with |= fact.complement.lead in _LIKING and other.stem in lexicon.TASTES
    is_same = fact.is_like(other)
    is_same |= is_over and fact.stem == "be" and other.verb_phrase.startswith("work as ")
    if is_over and other.stem == "be":
        does = {fact.stem + ending for ending in ("", "r", "er")}
        doers = [item for item in other.complement.items if item.head in does]
        if doers:
            return _of(other, doers)
    is_there = is_over and lowered(fact.statement.rest[:1]) == ["there"]
    if is_there:
        return () if fact.stem == other.stem and other.complement.lead in _PLACES else None
    if fact.complement.items:
        return _matching(fact, other) if is_same or is_done_with else None
    is_same |= is_over and fact.stem == other.stem
    return () if is_same else None


def _is_needed_for(fact: Fact, other: Fact) -> bool:
    """Whether the other fact implies this one: `I drink coffee` after `I like drinking coffee`."""
    if fact.stem == _USE and other.complement.lead.endswith(_BY_MEANS):
        return True
    implied = lexicon.USING if fact.stem == "need" else lexicon.TASTES
    return other.stem in implied and fact.stem in lexicon.USING | {"need"}


def _given_up(fact: Fact, other: Fact) -> tuple[Item, ...] | None:
    """Returns what of the other fact was given up, if all of its words are named.

    Verbs such as drop and leave have other meanings too, so the whole fact must be repeated.
    """
    days = {f"{word}s" for word in lowered(fact.complement.tail) if word in lexicon.DAYS}
    if not days.isdisjoint(lowered(other.complement.tail)):
        return None  # Something cancelled on Monday is still done on Mondays.
    tail = [token for token in fact.complement.tail if fact.is_qualified or token.is_name]
    behind, unsaid = content_stems(joined(tail)), _JOURNEYS | FUNCTION_STEMS
    if other.stem not in lexicon.TASTES:
        unsaid = unsaid | (_LESSONS if other.stem in _LEARNING else _ARRANGEMENTS)
    meant = [item for item in fact.complement.items if _is_meant(fact, item, other)]
    return _named([(item.stems | behind) - unsaid for item in meant], other)


def _is_meant(fact: Fact, item: Item, other: Fact) -> bool:
    """Whether giving up the item can mean that the other fact has ended."""
    if other.stem == "be":
        is_office = fact.complement.lead in {"down as", "as"}
        return (
            is_office
            or bool(other.subject.attribute)
            or not _BELONGING.isdisjoint(lowered(other.statement.rest[:3]))
        )
    if other.stem == "work":
        return fact.stem == "quit"
    if other.complement.lead == "with":
        return item.is_name  # `I left Monzo`, with which I bank.
    is_clear = fact.stem not in _AMBIGUOUS or len(item.stems) > 1 or fact.statement.is_perfect
    is_pastime = other.stem in _LEARNING or other.complement.lead == "in"
    return (is_clear or is_pastime) and (other.stem in _HAVING or other.statement.is_progressive)


def _matching(fact: Fact, other: Fact) -> tuple[Item, ...] | None:
    """Returns the items of the other fact that this fact names; `wine` names `red wine` too."""
    return _named([item.stems for item in fact.complement.items], other)


def _named(things: Sequence[frozenset[str]], other: Fact) -> tuple[Item, ...] | None:
    """Returns the items of a fact that contain all words of one of the things."""
    known = other.complement.tail_stems
    return _of(other, [
        item for item in other.complement.items
        if any(words and words <= item.stems | known for words in things)
    ])  # fmt: skip


def _of(fact: Fact, gone: Iterable[Item]) -> tuple[Item, ...] | None:
    """Returns the items in the fact's order; () if they are all of its items, None for none."""
    named = set(gone)
    found = tuple(item for item in fact.complement.items if item in named)
    if not found:
        return None
    return found if len(found) < len(fact.complement.items) else ()
