"""The verb phrases that state a relation, and what follows each of them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum, auto

_FLAGS = re.IGNORECASE


class Object(Enum):
    """What follows a verb phrase."""

    NAME = auto()
    """A name, such as that of a place."""

    PROPER_NAME = auto()
    """A name that is written as one even by those who use no capitals elsewhere."""

    PHRASE = auto()
    """One noun phrase."""

    PHRASES = auto()
    """Noun phrases, as in `tea, coffee and milk`."""

    ACTION = auto()
    """A verb and what it is about, as in `learn Spanish`."""

    JOB = auto()
    """A noun phrase that ends in an occupation."""


@dataclass(frozen=True, slots=True)
class Predicate:
    """A verb phrase, in the third person or after `does not`, and what it states."""

    relation: str
    target_type: str
    object: Object
    pattern: re.Pattern[str]


def _predicate(relation: str, target_type: str, kind: Object, pattern: str) -> Predicate:
    return Predicate(relation, target_type, kind, re.compile(rf"(?:{pattern})\b", _FLAGS))


_DEGREE = r"(?:(?:very|really|so|severely|highly|deathly|mildly|big|huge|a|an|especially) ){0,2}"
_A_JOB = r"(?:a |an |the |their )?(?:new |part-time |full-time |first )?(?:job|position|role)"

PREDICATES = (
    _predicate("named", "person", Object.PROPER_NAME,
               r"(?:is|am) (?:called|named)|goes by|wants? to be called|prefers? to be called"),
    _predicate("works_as", "occupation", Object.JOB, r"(?:is|am|became|has become) an?"),
    _predicate("works_as", "occupation", Object.JOB,
               r"(?:(?:works?|is working|worked) as|(?:was|got|is|has been) promoted to)(?: an?)?"),
    _predicate("works_at", "organization", Object.NAME,
               r"(?:works?|is working|has worked|has been working|is employed|started working"
               r"|has started working|started|interns?|is interning)"
               r"(?: (?:full[- ]time|part[- ]time|remotely|now))?(?: there)? (?:at|for)"),
    _predicate("works_at", "organization", Object.NAME,
               rf"(?:got|has|started|accepted|took|landed|found) {_A_JOB} (?:at|with|from)"
               r"|(?:got|was|has been) hired (?:at|by)"),
    _predicate("works_at", "organization", Object.PROPER_NAME,
               r"(?:has )?joined(?=[^,]{1,60} as )"),
    _predicate("joined", "organization", Object.PROPER_NAME, r"(?:has )?joined"),
    _predicate("worked_at", "organization", Object.NAME, r"worked (?:at|for)"),
    _predicate("works_in", "field", Object.PHRASE, r"(?:works?|is working) in"),
    _predicate("founded", "organization", Object.PROPER_NAME,
               r"founded|co-founded|has founded|started"),
    _predicate("lives_in", "place", Object.NAME,
               r"(?:lives?|is living|has lived|has been living|resides?|is based|settled)"
               r"(?: alone| together)? in"),
    _predicate("lives_in", "place", Object.NAME,
               r"(?:has |has just |has recently )?(?:moved|relocated|emigrated)"
               r"(?: back| out| over| permanently)? to"),
    _predicate("moving_to", "place", Object.NAME,
               r"(?:is|will be) (?:moving|relocating) to|will move to"),
    _predicate("lived_in", "place", Object.NAME, r"lived in"),
    _predicate("born_in", "place", Object.NAME, r"was born (?:and raised )?in"),
    _predicate("grew_up_in", "place", Object.NAME, r"(?:grew up|was raised) in"),
    _predicate("from", "place", Object.NAME, r"(?:is|comes?|came) (?:originally )?from"),
    _predicate("studies_at", "organization", Object.PROPER_NAME,
               r"(?:studies|study|is studying|is a student|is enrolled) at|attends?"),
    _predicate("graduated_from", "organization", Object.PROPER_NAME,
               r"(?:has )?graduated from|studied at|attended"),
    _predicate("studies", "field", Object.PHRASE,
               r"studies|study|is studying|majors? in|is majoring in"),
    _predicate("studied", "field", Object.PHRASE, r"studied|majored in|has a degree in"),
    _predicate("learns", "", Object.PHRASES,
               r"(?:is|has been) (?:currently )?learning|started learning|learns?"
               r"|(?:is|has been) taking (?=\w+ (?:lessons|classes))"),
    _predicate("speaks", "language", Object.PHRASES, r"(?:can )?speaks?|is fluent in"),
    _predicate("loves", "", Object.PHRASES,
               r"loves?(?: to)?|adores?|is (?:passionate about|obsessed with|in love with)"),
    _predicate("likes", "", Object.PHRASES,
               rf"(?:likes?|enjoys?)(?: to)?|is (?:{_DEGREE}fan of|(?:really )?into"
               r"|(?:very )?fond of)"),
    _predicate("prefers", "", Object.PHRASE, r"prefers?(?: to)?|would rather"),
    _predicate("dislikes", "", Object.PHRASES,
               r"dislikes?|hates?(?: to)?|can't stand|cannot stand|is not a fan of"),
    _predicate("interested_in", "", Object.PHRASES, rf"is {_DEGREE}interested in"),
    _predicate("allergic_to", "substance", Object.PHRASES,
               rf"is {_DEGREE}allergic to|has an? (?:\w+ )?(?:allergy|intolerance) to"),
    _predicate("has_condition", "condition", Object.PHRASES,
               r"suffers? from|(?:was|has been|got) diagnosed with|has (?:type \d )?"
               r"(?=(?:diabetes|asthma|adhd|anxiety|depression|epilepsy|arthritis|insomnia"
               r"|migraines?|dyslexia|hypertension|eczema|celiac)\b)"),
    _predicate("afraid_of", "", Object.PHRASES,
               r"(?:is (?:terrified|scared|afraid) of)|fears?"),
    _predicate("plays", "activity", Object.PHRASES, r"(?:has )?(?:plays?|is playing|been playing)"),
    _predicate("visited", "place", Object.PROPER_NAME,
               r"visited|has visited|has been to|went to|went on (?:a )?\w+ to|travell?ed to"
               r"|flew to|took a trip to|vacationed in|came back from|(?:just )?got back from"),
    _predicate("plans_to_visit", "place", Object.PROPER_NAME,
               r"(?:is|will be) (?:going|travell?ing|flying|heading) to|is visiting|will visit"
               r"|(?:plans|wants|hopes) to (?:visit|go to|travel to)|will (?:go|travel|fly) to"
               r"|would (?:love|like) to (?:visit|go to|travel to)"
               r"|is planning an? (?:\w+ )?trip to|has an? (?:\w+ )?trip to"),
    _predicate("wants_to", "", Object.ACTION,
               r"(?:(?:wants?|hopes?|plans?|aims?|is planning|is hoping|intends?"
               r"|would (?:really )?(?:love|like)) to|dreams? of)"
               r"(?! (?:make sure|be|know|see|get|understand|ensure|find out)\b)"),
    _predicate("trains_for", "event", Object.PHRASE, r"is training for|trains? for"),
    _predicate("married_to", "person", Object.PROPER_NAME,
               r"(?:is|got|was|has been) (?:happily )?married to|married"),
    _predicate("engaged_to", "person", Object.PROPER_NAME, r"(?:is|got) engaged to|proposed to"),
    _predicate("dating", "person", Object.PROPER_NAME, r"is (?:dating|seeing)"),
    _predicate("uses", "", Object.PHRASES, r"uses?|is using|has been using"),
    _predicate("drinks", "", Object.PHRASES, r"drinks?"),
    _predicate("avoids", "", Object.PHRASES, r"avoids?|can't (?:eat|drink)|cannot (?:eat|drink)"),
    _predicate("eats", "", Object.PHRASES, r"eats?"),
    _predicate("drives", "", Object.PHRASE, r"drives?(?= an?\b)"),
    _predicate("owns", "", Object.PHRASE, r"(?:owns?|bought|has bought|adopted)(?= an?\b)"),
    _predicate("collects", "", Object.PHRASES, r"collects?"),
    _predicate("teaches", "", Object.PHRASES, r"teaches|teach|is teaching"),
    _predicate("reads", "", Object.PHRASES, r"is (?:currently )?reading|reads"),
    _predicate("watches", "", Object.PHRASES, r"watches|is watching"),
    _predicate("listens_to", "", Object.PHRASES, r"listens? to|is listening to"),
    _predicate("supports", "", Object.PHRASES, r"supports?|roots? for"),
    _predicate("practices", "activity", Object.PHRASES,
               r"practi[cs]es?|is practi[cs]ing|does(?= (?:yoga|pilates|karate|judo)\b)"),
    _predicate("volunteers_at", "organization", Object.PHRASE, r"volunteers? (?:at|for|with)"),
)  # fmt: skip
"""The first that fits counts, so that the more special ones come first."""
