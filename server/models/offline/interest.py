"""Decides which facts are worth keeping.

Left out are remarks on the conversation and on the moment, vague plans, and statements of an
assistant except about what it has done.
"""

from __future__ import annotations

from server.memories.conversation import COURTESIES, Role
from server.models.offline import lexicon
from server.models.offline.facts import Fact
from server.models.offline.lexicon import listed, pattern, verbs_listed, word_set
from server.models.offline.statements import Who
from server.models.offline.tokens import lowered

_POINTING = word_set("it that this them those these him her so you your one both")
_REMARKING = verbs_listed("remarking")
_AROUND = lexicon.ADVERBS | lexicon.PREPOSITIONS
_OPINIONS = verbs_listed("opinions")
_MOODS, _TALK = listed("moods"), verbs_listed("talk")
_FINDING_OUT = listed("finding_out")
_WANTING = verbs_listed("tastes")
_DONE_BY_ASSISTANT = verbs_listed("done_by_assistant")
_DATED = pattern("dated")


def is_of_interest(fact: Fact, role: Role) -> bool:
    """Whether a fact is worth keeping."""
    statement = fact.statement
    if role is Role.ASSISTANT:
        return statement.who is Who.SPEAKER and _is_of_assistant(fact)
    if _is_remark(fact):
        return False
    if statement.who is Who.THING or (statement.is_planned and fact.stem not in _WANTING):
        names_it = statement.is_planned and any(token.is_name for token in statement.rest)
        return names_it or bool(fact.is_ending or _DATED.search(fact.text))
    is_known = statement.who is not Who.NAMED or fact.relations or fact.role or fact.is_ending
    return fact.stem != "be" or bool(statement.rest and is_known)


def _is_of_assistant(fact: Fact) -> bool:
    statement = fact.statement
    is_done = statement.is_past and not statement.is_planned and fact.stem in _DONE_BY_ASSISTANT
    is_kind = fact.stem == "be" and lowered(statement.rest[:1]) in (["a"], ["an"])
    return is_done or is_kind or any(r.relation == "named" for r in fact.relations)


def _is_remark(fact: Fact) -> bool:
    """Whether it is only a reply, a reference to the conversation, or about the moment."""
    statement = fact.statement
    words = [
        t.lower for t in statement.rest if t.is_word and (t.is_name or t.lower not in COURTESIES)
    ]
    if statement.who is Who.OWNED:
        return lexicon.verb_stem(statement.subject_tokens[-1].lower) in _TALK
    if statement.who is not Who.SPEAKER:
        return False
    verb = statement.tokens[statement.verb].lower
    mood = words[:1] if fact.stem == "be" else [verb] if verb.endswith("ing") else []
    is_sorry = fact.stem == "be" and lowered(statement.rest[:1]) == ["sorry"]
    is_mood = is_sorry or not (_MOODS.isdisjoint(mood) or fact.ending.over)
    if fact.stem in _OPINIONS or is_mood:
        return True
    if lexicon.ADVERBS.issuperset(words):
        return fact.stem in _REMARKING
    pointed = {word for word in words if word not in _AROUND}
    asks = words[0] == "to" and not _FINDING_OUT.isdisjoint(words[1:2])
    talks = any(item.head in _TALK for item in fact.complement.items[:1])
    return pointed <= _POINTING or asks or talks
