"""Remarks on the conversation and on the moment: said by the speaker, but nothing to remember."""

from __future__ import annotations

from server.memories.small_talk import COURTESIES
from server.models.offline.clauses import lowered
from server.models.offline.lexicon import ADVERBS, PREPOSITIONS, listed, verbs_listed, word_set
from server.models.offline.phrases import Complement
from server.models.offline.statements import Statement, Who

_POINTING = word_set("it that this them those these him her so you your one both")
_REMARKING = verbs_listed("remarking")
_MOODS = listed("moods")
_TALK = listed("talk")
_FINDING_OUT = listed("finding_out")


def is_remark(statement: Statement, complement: Complement) -> bool:
    """Whether the statement only answers, points at what was said, or tells of the moment."""
    words = [t.lower for t in statement.rest if t.is_word and t.lower not in COURTESIES]
    subject = lowered(statement.subject_tokens)
    if statement.who is Who.OWNED:
        return subject[-1] in _TALK
    if statement.who is not Who.SPEAKER:
        return False
    verb = statement.tokens[statement.verb].lower
    mood = words[:1] if statement.stem == "be" else [verb] if verb.endswith("ing") else []
    if not _MOODS.isdisjoint(mood):
        return True
    if not words:
        return statement.stem in _REMARKING
    if statement.is_ability and statement.is_denied:
        return statement.stem in _REMARKING
    points = {word for word in words if word not in ADVERBS and word not in PREPOSITIONS}
    asks = words[0] == "to" and not _FINDING_OUT.isdisjoint(words[1:2])
    talks = not _TALK.isdisjoint(item.head for item in complement.items[:1])
    return points <= _POINTING or asks or talks
