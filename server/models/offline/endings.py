"""What a clause says has ended: it is denied, was sold, or was given up."""

from __future__ import annotations

from dataclasses import dataclass

from server.core.text import english_stem
from server.models.offline import lexicon
from server.models.offline.clauses import lowered
from server.models.offline.lexicon import stems, word_set
from server.models.offline.phrases import Complement
from server.models.offline.statements import Statement, Who

_DISPOSING = lexicon.verbs_listed("disposing")
_ENDING = lexicon.verbs_listed("ending")
_GIVING_AWAY = stems("give throw get")
_AWAY = word_set("away rid out")
_LEAVING_WORK = stems("leave quit resign retire")
_RETIRING = english_stem("retire")
_LEAVING_SOMETHING = stems("leave quit")
_PARTING = stems("separate divorce")
_BREAKING = stems("break split")
_FINISHING = stems("graduate")
_SWITCHING = {(english_stem("switch"), "from"), (english_stem("move"), "out of")}
_LEADS = frozenset({"", "up", "from", "out of"})
_WORK = word_set("job work position company")
_PARTNERS = word_set("dates engaged_to married_to partner_of")


@dataclass(frozen=True, slots=True)
class Ending:
    """How a clause ends what was so.

    `relations` end by what the verb says, such as `works_at`; if `is_named` only those to what the
    clause names. Things are had no longer if `is_disposal`, used or done no longer if
    `is_giving_up`, and neither had nor used nor lived in if `is_switch`.
    """

    is_denial: bool = False
    is_disposal: bool = False
    is_giving_up: bool = False
    is_switch: bool = False
    relations: frozenset[str] = frozenset()
    is_named: bool = False

    def __bool__(self) -> bool:
        """Whether it ends anything."""
        return self != Ending()


def read_ending(statement: Statement, complement: Complement) -> Ending:
    """What a clause ends."""
    words, stem = lowered(statement.rest), statement.stem
    if statement.is_denied or statement.is_over:
        is_apart = statement.who is Who.GROUP and "together" in words
        return Ending(
            is_denial=not statement.is_ability, relations=_PARTNERS if is_apart else frozenset()
        )
    if statement.is_planned or statement.is_limited:
        return Ending()
    is_fired = stem in {"be", "get"} and words[:1] in (["fired"], ["laid"])
    relations = {"works_at"} if stem in _LEAVING_WORK or is_fired else set()
    if stem in _FINISHING:
        relations = {"studies_at"}
    elif stem == _RETIRING:
        relations = {"works_at", "works_as"}
    is_up = (stem == "give") == (complement.lead == "up")
    return Ending(
        is_disposal=stem in _DISPOSING or (stem in _GIVING_AWAY and not _AWAY.isdisjoint(words)),
        is_giving_up=bool(
            stem in _ENDING and is_up and complement.lead in _LEADS and complement.items
        ),
        relations=_PARTNERS if _is_parting(stem, complement) else frozenset(relations),
        is_switch=(stem, complement.lead) in _SWITCHING,
        is_named=stem in _LEAVING_SOMETHING and _WORK.isdisjoint(words),
    )


def _is_parting(stem: str, complement: Complement) -> bool:
    """Whether two part: `I broke up with Eve`, but not `I broke my leg`."""
    is_up = complement.lead == "up with" or (complement.lead == "up" and not complement.items)
    is_apart = stem == english_stem("divorce") or not complement.items or complement.lead == "from"
    return (stem in _BREAKING and is_up) or (stem in _PARTING and is_apart)
