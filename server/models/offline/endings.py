"""What a clause says has ended: it is denied, was sold, or was given up."""

from __future__ import annotations

from dataclasses import dataclass

from server.models.offline.phrases import Complement
from server.models.offline.rules import Rule, rules
from server.models.offline.statements import Statement, Who
from server.models.offline.tokens import lowered

_RULES = rules("ending")
_PARTNERS = frozenset({"dates", "engaged_to", "married_to", "partner_of"})
DENIAL, DISPOSAL, GIVING_UP, SWITCH, LOSS = "denial", "disposal", "giving up", "switch", "loss"


@dataclass(frozen=True, slots=True)
class Ending:
    """How a clause ends what was so.

    `relations` end by what the verb says, such as `works_at`; if `is_named` only those to what the
    clause names. By their `kinds`, things are had no longer (DISPOSAL), used or done no longer
    (GIVING_UP), or neither, nor lived in (SWITCH); after a LOSS the subject is there no longer.
    """

    kinds: frozenset[str] = frozenset()
    relations: frozenset[str] = frozenset()
    is_named: bool = False

    def __bool__(self) -> bool:
        """Whether it ends anything."""
        return bool(self.kinds or self.relations)


def read_ending(statement: Statement, complement: Complement) -> Ending:
    """What a clause ends."""
    if statement.is_retraction:
        return _denial(statement, complement)
    if statement.is_planned or statement.is_limited:
        return Ending()
    found = [r for r in _RULES.get(statement.stem, ()) if _fits(r, statement, complement)]
    kinds = frozenset(rule.kind for rule in found if rule.kind)
    relations = frozenset(relation for rule in found for relation in rule.relations)
    return Ending(kinds, relations, is_named=any(rule.is_named for rule in found))


def _fits(rule: Rule, statement: Statement, complement: Complement) -> bool:
    is_voice = statement.is_past or not rule.is_passive
    is_told = bool(complement.items) or rule.kind != GIVING_UP
    words = " ".join(lowered(statement.rest))
    is_worded = rule.lead.fullmatch(complement.lead) and rule.rest.match(words)
    return is_voice and is_told and is_worded is not None


def _denial(statement: Statement, complement: Complement) -> Ending:
    """What ends by not being so: `I no longer work at Acme`, `we are not together`."""
    is_apart = statement.who is Who.GROUP and "together" in lowered(statement.rest)
    is_work = statement.is_over and statement.stem == "work" and complement.lead in {"at", "for"}
    ended = _PARTNERS if is_apart else frozenset({"works_at"} if is_work else ())
    kinds = frozenset() if statement.is_ability else frozenset({DENIAL})
    return Ending(kinds, ended, is_named=is_work)
