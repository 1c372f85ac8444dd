"""Finds the sentences in a speaker's own words, and the part of each that may state something.

A sentence in another language than English is kept verbatim, unless the word lists recognise it as
a question, a courtesy or a request.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from server.core.text import normalized, sentences, without_marker, words
from server.memories.add.others_text import OthersTextKind, find_others_text
from server.memories.conversation import COURTESIES
from server.models.offline import lexicon
from server.models.offline.lexicon import listed, pattern


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence, verbatim.

    `statement` is the part that may state something: without a greeting before it and a question or
    request after it. It can be empty. `is_correction` is whether it retracts something that was
    said by mistake.
    """

    text: str
    statement: str
    is_foreign: bool = False
    is_correction: bool = False


_LEAD, _TAIL = pattern("lead"), pattern("tail")
_TURN_TO_REQUEST, _TURN_TO_QUESTION = pattern("turn_to_request"), pattern("turn_to_question")
_FICTION, _IMAGINED, _CORRECTING = pattern("fiction"), pattern("imagined"), pattern("correcting")
_DIARY = pattern("diary")
_FULL = {pattern(name): full for name, full in lexicon.table("full").items()}
"""Statements in short or in other words, and how they begin in full."""

_CLOSING = "\"'\u201d\u2019)\u300d \u2026!."


def own_sentences(content: str) -> Iterator[Sentence]:
    """Yields the sentences of a message that are the speaker's own and not imagined, in order.

    It ends where a speaker begins to imagine something, such as a role.
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
    """Returns the sentence; None if something imagined begins with it."""
    if is_foreign(text):
        statement = text if _is_foreign_statement(text) else ""
        return Sentence(text, statement, is_foreign=True)
    statement = _in_full(_TAIL.sub("", _without_lead(text)))
    level = normalized(statement)
    if _FICTION.match(level) or _IMAGINED.search(level):
        return None
    asks = "?" in text[-3:] or text.rstrip(_CLOSING).endswith(("?", "\uff1f", "\u061f"))
    turns = [_TURN_TO_REQUEST.search(level), _TURN_TO_QUESTION.search(level) if asks else None]
    starts = [turn.start() for turn in turns if turn]
    if starts:
        statement = statement[: min(starts)].rstrip(" ,;:")
    elif asks:
        statement = ""
    return Sentence(text, statement, is_correction=bool(_CORRECTING.search(text)))


def _without_lead(text: str) -> str:
    """Returns the text without `well,`, `by the way,` and the like in front."""
    level, position = normalized(text), 0
    if len(level) != len(text):
        return text
    while (lead := _LEAD.match(level, position)) and lead.end() > position:
        position = lead.end()
    return text[position:].strip()


def _in_full(statement: str) -> str:
    """Returns the statement with the words that `Moved to Ulm` or `Call me Jo` leave out."""
    level = normalized(statement)
    if len(level) != len(statement):
        return statement
    level = level[:1].lower() + level[1:]
    for short, full in _FULL.items():
        if (match := short.match(level)) is not None:
            return match.expand(full) + statement[match.end() :]
    diary = _DIARY.match(level)
    is_told = diary and lexicon.is_past(diary[1]) and lexicon.verb_stem(diary[1]) in lexicon.VERB_STEMS
    return f"I {level}" if is_told else statement



# --- other languages ------------------------------------------------------------------------------

_OTHER_SCRIPT = re.compile(r"[\u0370-\u1dff\u1f00-\u1fff\u2e80-\ud7ff\uf900-\ufaff]")
_UNSPACED = re.compile(r"[\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff]")
_ACCENTED = re.compile(r"[\u00c0-\u024f\u1e00-\u1eff\u00bf]")
_FOREIGN = listed("foreign", "languages")
_ENGLISH = lexicon.FUNCTION_WORDS - _FOREIGN - listed("ambiguous", "languages")
_TALK = COURTESIES | listed("question_words", "languages")
_ASKING = tuple(phrase.replace("+", " ") for phrase in listed("asking", "languages"))
_QUESTION_MARK = re.compile("[?\uff1f\u061f\u00bf]")
_I = re.compile(r"\b(?:I|[Ii]'\w+)\b")
_SENTENCE_OF_CHARACTERS = 5
_SENTENCE_OF_WORDS = 2


def is_foreign(text: str) -> bool:
    """Whether the sentence is in another language than English, judging by its words."""
    if other := len(_OTHER_SCRIPT.findall(text)):
        return 2 * other >= sum(character.isalpha() for character in text)
    found = [word.lower() for word in words(text)]
    foreign = sum(word in _FOREIGN for word in found)
    if english := sum(w in _ENGLISH or lexicon.is_past(w) for w in found) + bool(_I.search(text)):
        return foreign > 2 * english
    return foreign > 0 or bool(_ACCENTED.search(text))


def _is_foreign_statement(text: str) -> bool:
    """Whether a sentence in another language is not a question, a courtesy or a request."""
    found = [word.lower() for word in words(text)]
    is_asked = _QUESTION_MARK.search(text) or any(phrase in text.lower() for phrase in _ASKING)
    if not found or is_asked or found[0] in _TALK or found[-1] in COURTESIES:
        return False
    if _UNSPACED.search(text):
        return len(text) >= _SENTENCE_OF_CHARACTERS
    return len(found) >= _SENTENCE_OF_WORDS
