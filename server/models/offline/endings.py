"""What a clause says has ended: it is denied, was sold, or was given up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from server.core.text import english_stem
from server.models.offline import lexicon
from server.models.offline.lexicon import stems, word_set
from server.models.offline.phrases import Complement
from server.models.offline.statements import PHRASAL, Statement, Who
from server.models.offline.tokens import lowered

_DISPOSING = lexicon.verbs_listed("disposing")
_ENDING = lexicon.verbs_listed("ending")
_DYING = stems("die pass")
_GONE = _DISPOSING | stems("cancel close demolish end steal")
_GIVING_AWAY = stems("give throw get")
_AWAY = word_set("away rid out")
_LEAVING_WORK = stems("leave quit resign retire")
_WORKING = english_stem("work")
_RETIRING = english_stem("retire")
_LEAVING_SOMETHING = stems("leave quit")
_PARTING = stems("separate divorce")
_PARTED = (["divorced"], ["separated"])
_BREAKING = stems("break split")
_FINISHING = stems("graduate")
_COMPLETING = stems("finish complete")
_FIRED = (["fired"], ["laid", "off"], ["made", "redundant"], ["let", "go"], ["dismissed"])
_SWITCHING = {(english_stem("switch"), "from"), (english_stem("move"), "from"),
              (english_stem("move"), "out of")}  # fmt: skip
_LEADS = frozenset({"", "from", "out of"})
_WORK = word_set("job work position company")
_PARTNERS = word_set("dates engaged_to married_to partner_of")


@dataclass(frozen=True, slots=True)
class Ending:
    """How a clause ends what was so.

    `relations` end by what the verb says, such as `works_at`; if `is_named` only those to what the
    clause names. Things are had no longer if `is_disposal`, used or done no longer if
    `is_giving_up`, and neither had nor used nor lived in if `is_switch`. If `is_loss` the subject
    itself is there no longer.
    """

    is_denial: bool = False
    is_disposal: bool = False
    is_giving_up: bool = False
    is_switch: bool = False
    is_loss: bool = False
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
        is_work = statement.is_over and stem == _WORKING and complement.lead in {"at", "for"}
        ended = _PARTNERS if is_apart else {"works_at"} if is_work else frozenset()
        is_denial = not statement.is_ability
        return Ending(is_denial=is_denial, relations=frozenset(ended), is_named=is_work)
    if statement.is_planned or statement.is_limited:
        return Ending()
    is_passive = stem in {"be", "get"} and statement.is_past
    is_fired = is_passive and any(words[: len(way)] == way for way in _FIRED)
    relations = {"works_at"} if stem in _LEAVING_WORK or is_fired else set()
    is_dropping_out = stem == "drop" and complement.lead == "out of"
    if stem in _FINISHING or is_dropping_out:
        relations = {"studies_at"}
    elif stem == _RETIRING:
        relations = {"works_at", "works_as"}
    is_given_up = (stem in _ENDING and stem != "give" and complement.lead in _LEADS) or (
        (stem, complement.lead.removesuffix(" on")) in PHRASAL
    )
    is_finished = stem in _COMPLETING and not complement.lead
    is_dead = stem in _DYING and words[:1] in ([], ["away"], ["last"], ["in"], ["on"])
    return Ending(
        is_disposal=stem in _DISPOSING or (stem in _GIVING_AWAY and not _AWAY.isdisjoint(words)),
        is_giving_up=bool((is_given_up or is_finished) and complement.items),
        relations=_PARTNERS if _is_parting(stem, words, complement) else frozenset(relations),
        is_switch=(stem, complement.lead) in _SWITCHING,
        is_named=is_dropping_out or (stem in _LEAVING_SOMETHING and _WORK.isdisjoint(words)),
        is_loss=is_dead or (is_passive and lexicon.verb_stem("".join(words[:1])) in _GONE),
    )


def _is_parting(stem: str, words: Sequence[str], complement: Complement) -> bool:
    """Whether two part: `I broke up with Eve`, but not `I broke my leg`."""
    is_up = complement.lead.startswith("up") and not (complement.lead == "up" and complement.items)
    is_apart = stem == english_stem("divorce") or not complement.items or complement.lead == "from"
    is_parted = stem in {"be", "get"} and words[:1] in _PARTED
    return is_parted or (stem in _BREAKING and is_up) or (stem in _PARTING and is_apart)
