"""English verbs: which words are verbs, and their forms."""

from __future__ import annotations

from server.adapters.offline.words import word_set

BASE = word_set("""
accept adopt appreciate attend avoid bake believe bike build buy camp care celebrate climb coach
code collect commute cook cycle dance date design develop dislike do draw dream drink drive earn
eat enjoy exercise fear feel fish follow garden get give go grow hate have help hike hope intern
invest keep know lead learn like listen live look love maintain make manage meditate miss need own
paint plan play practice practise prefer publish raise read rent ride run sail save say sell sing
skate ski sleep smoke speak spend study suffer support surf swim take teach think train travel try
understand use visit volunteer vote wake walk want watch wear weigh work workout write
""")
"""Verbs in the form that follows `I`."""

# Verbs that are nouns as often: after "and" they are only verbs if the next word shows it.
_NOUNS_TOO = word_set(
    """bike camp care coach code cook cycle dance date design draw dream drink drive exercise fear
    fish garden help hike hope intern look love need plan play practice rent ride run sail ski sleep
    smoke study support surf swim train travel use visit vote walk watch work workout"""
)
_SHOW_A_VERB = word_set(
    """a an the my our some at as for in on to from with every it them about daily regularly
    tennis football guitar piano"""
)

_IRREGULAR_PAST = word_set(
    """ate became began bought broke brought built came caught chose did drank drew drove fell felt
    flew forgot found gave got grew had heard held kept knew learnt led left lent lost made met paid
    quit ran rode said sang sat saw sent slept sold spent spoke stood stole swam taught thought told
    took understood went woke won wore wrote was"""
)
_NOT_PAST = frozenset({"need", "feed", "breed", "bleed", "speed"})
_SAME_IN_THE_PAST = frozenset({"read"})

_UNCHANGED = word_set(
    """will would can could should may might must cannot can't won't wouldn't couldn't shouldn't
    mustn't didn't wasn't hadn't did had was"""
)
_AUXILIARY = {
    "am": "is", "have": "has", "do": "does", "don't": "doesn't", "haven't": "hasn't",
    "ain't": "isn't", "aren't": "isn't",
}  # fmt: skip

_DOUBLED = word_set("get plan run stop swim travel")


def third_person(verb: str) -> str:
    """The form for he, she or it: `study` becomes `studies`."""
    if verb in _AUXILIARY:
        return _AUXILIARY[verb]
    if verb.endswith(("s", "x", "z", "ch", "sh", "o")):
        return verb + "es"
    if verb.endswith("y") and verb[-2] not in "aeiou":
        return verb[:-1] + "ies"
    return verb + "s"


def gerund(verb: str) -> str:
    """The -ing form: `smoke` becomes `smoking`."""
    if verb in _DOUBLED:
        return verb + verb[-1] + "ing"
    if verb.endswith("e") and not verb.endswith(("ee", "ye")):
        return verb[:-1] + "ing"
    return verb + "ing"


THIRD_PERSON = frozenset(map(third_person, BASE)) | {"is", "isn't", "doesn't", "hasn't"}
"""The forms that follow he, she or it."""

FROM_GERUND = {gerund(verb): third_person(verb) for verb in BASE}
"""From the -ing form to the one that follows he, she or it."""


def is_past(verb: str) -> bool:
    """Whether the word is a verb in the past tense, as far as its look tells."""
    return verb in _IRREGULAR_PAST or (verb.endswith("ed") and verb not in _NOT_PAST)


def after_subject(verb: str, *, in_the_past: bool) -> str | None:
    """The form after he, she or it of a word that follows `I`; None if it is no known verb.

    `in_the_past` says that the sentence is about the past, where `read` stays `read`.
    """
    if verb in _UNCHANGED or is_past(verb) or (in_the_past and verb in _SAME_IN_THE_PAST):
        return verb
    if verb in _AUXILIARY or verb in BASE:
        return third_person(verb)
    return None


def is_coordinated(verb: str, following: str | None) -> bool:
    """Whether the word after `and` goes on with the subject: `I ski and play chess`."""
    if following is None:
        return False
    if verb in _AUXILIARY:
        return True
    return verb in BASE and (verb not in _NOUNS_TOO or following in _SHOW_A_VERB)
