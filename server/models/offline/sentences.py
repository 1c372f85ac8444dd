"""The sentences that a speaker says in their own words, and what kind of talk each is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from server.core.text import normalized, sentences, without_marker
from server.memories.add.others_text import OthersTextKind, find_others_text
from server.memories.conversation import COURTESIES
from server.models.offline import languages, lexicon


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence as it stands in its message.

    `statement` is the part of it that may state something: without a greeting before it and a
    question or a request after it. It is empty where nothing is left. `is_correction` says that it
    takes back something said by mistake.
    """

    text: str
    statement: str
    is_foreign: bool = False
    is_correction: bool = False


_I = r"(?=(?:i|i'm|im|i've|ive|i'd|i'll|my|our|we|we're|we've)\b)"
_SAID_BEFORE = rf"""(?:
     well|so|actually|anyway|btw|fyi|also|besides|honestly|yes|yeah|yep|no|nope|right|sure
    |plus|update|news|note|correction|reminder|edit|unfortunately|luckily|sadly|fun\ fact
    |by\ the\ way|in\ fact|to\ be\ honest|for\ (?:the\ record|context)|of\ course
    |just\ so\ you\ know|as\ (?:you\ know|i\ said)|never\ ?mind|scratch\ that|p\.?s\.?
    |(?:it\ )?turns\ out(?:\ that)?|the\ (?:truth|fact)\ is(?:\ that)?
    |(?:a\ )?(?:bit|little|more)\ about\ me|(?:quick|small)\ (?:intro|update|note)
    |{"|".join(sorted(word for word in COURTESIES if word.isascii()))})
    (?:\ (?:so\ much|a\ lot|there|again|everyone|all))?"""
_LEAD = re.compile(
    rf"""(?:
      {_SAID_BEFORE}(?:\s*[,.:!-]+\s*|\s+(?:{_I}|(?={_SAID_BEFORE}\b)))
    | good\ (?:morning|afternoon|evening)\b[\s,.!-]*
    | (?:and|but|because|then)\s+{_I}
    | (?:please\ )?(?:remember|note|keep\ in\ mind|don't\ forget)(?:\ that|:|,)?\s+{_I}
    | i\ (?:should|have\ to|must|want\ to|wanted\ to|forgot\ to)
      \ (?:say|admit|mention|add|tell\ you)\ (?:that\ )?{_I}
    | i\ (?:just\ )?(?:found\ out|reali[sz]ed)\ (?:that\ )?{_I}
    )""",
    re.VERBOSE | re.IGNORECASE,
)
_REQUESTS = (
    r"(?:(?:please|pls|kindly)\b|(?:tell|show|give|help|remind|send|let|recommend|suggest)\ me\b"
    r"|(?:can|could|would|will)\ you\b|(?:what|how|where|when|which)\ (?:should|do|can|could)\b)"
)
_ASKS = r"""(?:
    (?:can|could|would|will|do|does|did|is|are|was|were|should|shall|may|might|have|has|am)(?:n't)?
      \ (?:you|i|we|they|he|she|it|there|this|that|these|those|the|my|your|our|any\w*|some\w*)\b
  | (?:what|where|when|why|how|which|who|whose|whom)(?:'s|\ \w+)
  | any\ (?:ideas?|suggestions?|recommendations?|tips|advice|thoughts|chance|good)\b
)"""
_BEFORE = r"\s*[,;:\u2013\u2014-]\s*(?:(?:and|so|but|or)\s+)?|\s+(?:and|so|but|or)\s+"
_TURN_TO_REQUEST = re.compile(rf"(?:{_BEFORE}){_REQUESTS}", re.IGNORECASE)
_TURN_TO_QUESTION = re.compile(rf"(?:{_BEFORE}|\s+){_ASKS}", re.VERBOSE | re.IGNORECASE)
_FICTION = re.compile(
    r"""(?:please\ |now\ |ok,?\ )?(?:
        imagine|suppose|pretend|assume|picture|hypothetically|role-?play|act\ as|what\ if|in\ theory
      | (?:let's|let\ us)\ (?:say|pretend|imagine|assume|play|suppose)|once\ upon
      | say\ (?:that\ )?(?:i|my|we)\b|(?:for|in)\ (?:the\ sake\ of|a\ hypothetical)
      | (?:from\ now\ on,?\ )?you(?:'re|\ are|\ play|\ will\ be)\ (?:now\b|(?:an?|the|my)\b)
      | in\ (?:this|our|my|the|a)\ (?:\w+\ )?(?:story|novel|game|scenario|role-?play|book|script
          |dream|nightmare|play|film|movie|fantasy|poem|simulation)\b
      | i\ (?:had\ a\ (?:\w+\ )?dream|dream(?:ed|t)\b)
      | (?:i'm|i\ am)\ writing\ (?:an?|the)\ (?:\w+\ )?(?:story|novel|script|poem|play|book)\b
    )""",
    re.VERBOSE | re.IGNORECASE,
)
_CORRECTING = re.compile(
    r"\b(?:correction|typo|by mistake|misspoke|misread|my mistake|scratch that)\b", re.IGNORECASE
)
_QUESTION_MARKS = ("?", "\uff1f", "\u061f", ";?")
_CLOSING = "\"'\u201d\u2019)\u300d \u2026!."


def own_sentences(content: str) -> Iterator[Sentence]:
    """The sentences of a message that are the speaker's own and not imagined, in their order.

    From where a speaker begins to imagine something, such as a role, nothing more is taken.
    """
    for text in _own_parts(content):
        for part in sentences(text):
            if said := without_marker(part.strip()):
                sentence = _read(said)
                if sentence is None:
                    return
                yield sentence


def _own_parts(content: str) -> Iterator[str]:
    position = 0
    for span in find_others_text(content):
        if span.kind is not OthersTextKind.QUOTATION:
            yield content[position : span.start]
            position = span.end
    yield content[position:]


@lru_cache(maxsize=4_096)
def _read(text: str) -> Sentence | None:
    """The sentence; None if it begins something imagined."""
    if languages.is_foreign(text):
        is_statement = languages.is_statement(text)
        return Sentence(text, text if is_statement else "", is_foreign=True)
    statement = _with_subject(_TAIL.sub("", _without_lead(text)))
    level = normalized(statement)
    if _FICTION.match(level):
        return None
    asks = text.rstrip(_CLOSING).endswith(_QUESTION_MARKS) or "?" in text[-3:]
    turns = [_TURN_TO_REQUEST.search(level), _TURN_TO_QUESTION.search(level) if asks else None]
    starts = [turn.start() for turn in turns if turn]
    if starts:
        statement = statement[: min(starts)].rstrip(" ,;:")
    elif asks:
        statement = ""
    return Sentence(text, statement, is_correction=bool(_CORRECTING.search(text)))


_TAIL = re.compile(
    r"(?:,? (?:by the way|btw|fyi|tbh|to be honest|lol|haha|just so you know|mate|for the record)"
    r"|, (?:though|actually|in case you(?:'re wondering| need it)))(?=[\s.!]*$)",
    re.IGNORECASE,
)
_VALUE = re.compile(r"(?:my )?((?:new|favou?rite) [\w -]{2,30}): (?=\S)", re.IGNORECASE)
_CALL_ME = re.compile(r"(?i:(?:please )?(?:just )?call me )(?=[A-Z])")
_DIARY = re.compile(
    r"(?:(?:just|finally|recently) )?(?!(?:got|had) to)([a-z]+)"
    r" (to|up in|my|our|an?|the|two|three|married|engaged|promoted)\b"
)
_PARTING = lexicon.verbs_listed("disposing") | lexicon.verbs_listed("ending")
_DIARY_NAME = re.compile(r"(?:(?:just|finally|recently) )?([a-z]+) (?=[A-Z][a-z])")


def _with_subject(statement: str) -> str:
    """The statement with the `I` that is left out in `Moved to Ulm` and `Call me Jo`."""
    level = normalized(statement).lower()
    if (name := _CALL_ME.match(statement)) is not None:
        return f"I go by {statement[name.end() :]}"
    if len(level) != len(statement):
        return statement
    if (value := _VALUE.match(level)) is not None:
        return f"My {value.group(1)} is {statement[value.end() :]}"
    diary = _DIARY.match(level) or _DIARY_NAME.match(statement[:1].lower() + statement[1:])
    if diary is None or not lexicon.is_past(diary.group(1)):
        return statement
    # `Fixed the bug` is about the talk; `Sold the car` is not.
    is_the = diary.groups()[1:] == ("the",)
    stem = lexicon.verb_stem(diary.group(1))
    is_told = stem in (_PARTING if is_the else lexicon.VERB_STEMS)
    return f"I {statement[:1].lower()}{statement[1:]}" if is_told else statement


def _without_lead(text: str) -> str:
    """The text without `well,`, `by the way,` and their like in front."""
    level = normalized(text)
    if len(level) != len(text):
        return text
    position = 0
    while (lead := _LEAD.match(level, position)) and lead.end() > position:
        position = lead.end()
    return text[position:].strip()
