"""What is over: reading `no longer works at`, `stopped playing`, `moved from`, `used to`."""

from __future__ import annotations

import re
from dataclasses import dataclass

from server.adapters.offline.phrases import read_name, read_phrase
from server.adapters.offline.reading import Predication, read_predicate
from server.adapters.offline.verbs import FROM_GERUND
from server.domain.graph import Entity

_FLAGS = re.IGNORECASE
_NOT = re.compile(
    r"(?:(?P<is>(?:is|are) (?:not|no longer)|isn't|aren't)|(?P<has>has (?:not|never)|hasn't)"
    r"|doesn't|does not|don't|do not|no longer|never) (?:really |even |actually )?",
    _FLAGS,
)
_STOPPED = re.compile(r"(?:has |have )?(?:recently )?(?:stopped|quit|gave up|given up) ", _FLAGS)
_GERUND = re.compile(r"\w+ing\b")
_USED_TO = re.compile(r"used to (?:(?P<is>be) )?(?=\w)", _FLAGS)
_LEFT = re.compile(
    r"(?:has )?(?:just )?(?:quit|left|resigned from|lost|was fired from|(?:was|got) laid off from)"
    r"(?P<job> (?:their|his|her|the|a) (?:old |current )?(?:job|position|role))?"
    r"(?: (?:at|with|from))?",
    _FLAGS,
)
_SEPARATED = re.compile(
    r"(?:has )?(?:broke up with|split up with|separated from|divorced|is divorced from)", _FLAGS
)
_FROM = re.compile(
    r"(?:has )?(?:just )?(?P<verb>moved|relocated|switched|changed)(?: back)? from", _FLAGS
)
_SWITCHED = re.compile(r"(?:has )?(?:switched|changed) to", _FLAGS)
_TO = re.compile(r" to\b", _FLAGS)
_MOVES = {
    "moved": ("lives_in", "place"),
    "relocated": ("lives_in", "place"),
    "switched": ("uses", ""),
    "changed": ("uses", ""),
}
_LIKINGS = ("likes", "loves")
_OPPOSITES = {"likes": "dislikes", "loves": "dislikes", "eats": "avoids", "drinks": "avoids"}
_CONSUMED = ("drinks", "eats", "likes", "loves")


@dataclass(frozen=True, slots=True)
class Change:
    """What a verb phrase states, what it says is over, and what of the text remains unread.

    Each is a relation with its target; a target None stands for any.
    """

    stated: tuple[tuple[str, Entity], ...]
    ended: tuple[tuple[str, Entity | None], ...]
    rest: str


def read_change(text: str, *, speaker: str, casual: bool) -> Change | None:
    """What the verb phrase that the text begins with states and ends; None if it is not known."""
    for read in (_read_move, _read_switch, _read_leaving, _read_separation):
        change = read(text)
        if change is not None:
            return change
    stopped = _STOPPED.match(text)
    if stopped:
        return _read_stopping(text[stopped.end() :], speaker, casual=casual)
    denial, past = _NOT.match(text), _USED_TO.match(text)
    verb = _affirmed(text, denial or past)
    found = read_predicate(verb, speaker=speaker, casual=casual)
    if found is None:
        return None
    if denial:
        return _denied(found, verb[found.end :])
    return _over(found, verb[found.end :]) if past else _stated(found, verb[found.end :])


def _affirmed(text: str, negation: re.Match[str] | None) -> str:
    """The text without its negation: `is not` becomes `is`."""
    if negation is None:
        return text
    auxiliary = next((f"{name} " for name, value in negation.groupdict().items() if value), "")
    return auxiliary + text[negation.end() :]


def _stated(found: Predication, rest: str) -> Change:
    return Change(tuple((found.relation, target) for target in found.targets), (), rest)


def _over(found: Predication, rest: str) -> Change:
    return Change((), tuple((found.relation, target) for target in found.targets), rest)


def _denied(found: Predication, rest: str) -> Change:
    """What `does not like` states: who does not like tea dislikes it, and does not love it."""
    opposite = _OPPOSITES.get(found.relation)
    stated = tuple((opposite, target) for target in found.targets) if opposite else ()
    relations = _LIKINGS if found.relation in _LIKINGS else (found.relation,)
    ended = tuple((relation, target) for relation in relations for target in found.targets)
    return Change(stated, ended, rest)


def _read_stopping(text: str, speaker: str, *, casual: bool) -> Change | None:
    """What `stopped` ends: an activity (`playing tennis`) or something consumed (`coffee`)."""
    gerund = _GERUND.match(text)
    if gerund:
        verb = FROM_GERUND.get(gerund.group().lower(), "") + text[gerund.end() :]
        found = read_predicate(verb, speaker=speaker, casual=casual)
        return _over(found, verb[found.end :]) if found else None
    phrase = read_phrase(text)
    if phrase is None:
        return None
    target = Entity(phrase[0])
    return Change((), tuple((relation, target) for relation in _CONSUMED), text[phrase[1] :])


def _read_move(text: str) -> Change | None:
    """What `moved from Porto to Lisbon` and `switched from Java to Rust` state and end."""
    match = _FROM.match(text)
    old = read_name(text[match.end() :], casual=True) if match else None
    if match is None or old is None:
        return None
    relation, kind = _MOVES[match["verb"].lower()]
    ended = ((relation, Entity(old[0], kind)),)
    rest = text[match.end() + old[1] :]
    to = _TO.match(rest)
    return _to(rest[to.end() :], relation, kind, ended) if to else Change((), ended, rest)


def _read_switch(text: str) -> Change | None:
    """What `switched to Rust` states."""
    match = _SWITCHED.match(text)
    return _to(text[match.end() :], "uses", "", ()) if match else None


def _to(
    text: str, relation: str, kind: str, ended: tuple[tuple[str, Entity | None], ...]
) -> Change | None:
    new = read_name(text, casual=True)
    if new is None:
        return None
    return Change(((relation, Entity(new[0], kind)),), ended, text[new[1] :])


def _read_leaving(text: str) -> Change | None:
    match = _LEFT.match(text)
    if match is None:
        return None
    name = read_name(text[match.end() :])
    if name is None and not match["job"]:
        return None
    rest = text[match.end() + (name[1] if name else 0) :]
    target = Entity(name[0], "organization") if name else None
    return Change((), (("works_at", target),), rest)


def _read_separation(text: str) -> Change | None:
    match = _SEPARATED.match(text)
    name = read_name(text[match.end() :]) if match else None
    if match is None or name is None:
        return None
    person = Entity(name[0], "person")
    relations = ("married_to", "partner_of", "dating", "engaged_to")
    return Change((), tuple((r, person) for r in relations), text[match.end() + name[1] :])
