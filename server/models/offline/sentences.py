"""Finds the sentences in a speaker's own words, and the part of each that may state something.

A sentence in another language than English is kept verbatim, unless the word lists recognise it as
a question, a courtesy or a request.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

from server.core.text import normalized, sentences, without_marker, words
from server.memories.add.others_text import OthersTextKind, find_others_text
from server.memories.conversation import COURTESIES
from server.models.offline import lexicon
from server.models.offline.lexicon import listed, pattern


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence, verbatim, and the part of it that may state something.

    A `statement` has no greeting before it and no question or request after it, and can be empty.
    """

    text: str
    statement: str
    is_foreign: bool = False
    is_correction: bool = False


_LEAD, _TAIL, _CORRECTING = pattern("lead"), pattern("tail"), pattern("correcting")
_TURN_TO_REQUEST, _TURN_TO_QUESTION = pattern("turn_to_request"), pattern("turn_to_question")
_FICTION, _DIARY = pattern("fiction"), pattern("diary")
_FULL = {pattern(n): full for full, names in lexicon.TABLES["full"].items() for n in names.split()}
"""Statements in short or in other words, and how they begin in full."""

_ASKS = re.compile(r"[?\uff1f\u061f].{0,2}$", re.DOTALL)


def own_sentences(content: str) -> Iterator[Sentence]:
    """Yields the sentences of a message that are the speaker's own, in order.

    It ends where a speaker begins to imagine something, such as a role.
    """
    position, own, is_correcting = 0, list[str](), False
    for span in find_others_text(content):
        if span.kind is not OthersTextKind.QUOTATION:
            own.append(content[position : span.start])
            position = span.end
    for part in [*own, content[position:]]:
        for text in sentences(part):
            if said := without_marker(text.strip()):
                if (sentence := _read(said)) is None:
                    return
                is_correction = sentence.is_correction or is_correcting
                yield replace(sentence, is_correction=is_correction)
                # `Sorry, typo.` is about what follows.
                is_correcting = sentence.is_correction and len(words(said)) <= _REMARK_OF_WORDS


@lru_cache(maxsize=4_096)
def _read(text: str) -> Sentence | None:
    """Returns the sentence; None if something imagined begins with it."""
    if is_foreign(text):
        return Sentence(text, text if _is_foreign_statement(text) else "", is_foreign=True)
    statement = _in_full(text)
    level = normalized(statement)
    if _FICTION.match(level):
        return None
    asks = bool(_ASKS.search(text))
    turns = [_TURN_TO_REQUEST.search(level), _TURN_TO_QUESTION.search(level) if asks else None]
    starts = [turn.start() for turn in turns if turn] or ([0] if asks else [])
    statement = statement[: min(starts)].rstrip(" ,;:") if starts else statement
    return Sentence(text, statement, is_correction=bool(_CORRECTING.search(text)))


def _in_full(text: str) -> str:
    """Returns a sentence without `well,` and the like, and with what `Moved to Ulm` leaves out."""
    level, position = normalized(text), 0
    if len(level) != len(text):
        return text
    while (lead := _LEAD.match(level, position)) and lead.end() > position:
        position = lead.end()
    text = _TAIL.sub("", text[position:].strip())
    level = normalized(text[:1].lower() + text[1:])
    for short, full in _FULL.items():
        if match := short.match(level):
            return match.expand(full) + text[match.end() :]
    verb = diary[1] if (diary := _DIARY.match(level)) else ""
    is_told = lexicon.is_past(verb) and lexicon.verb_stem(verb) in lexicon.VERB_STEMS
    return f"I {level}" if is_told else text


_OTHER_SCRIPT = re.compile(r"[\u0370-\u1dff\u1f00-\u1fff\u2e80-\ud7ff\uf900-\ufaff]")
_UNSPACED = re.compile(r"[\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff]")
_ACCENTED = re.compile(r"[\u00c0-\u024f\u1e00-\u1eff\u00bf]")
_FOREIGN = listed("foreign", "languages")
_ENGLISH = lexicon.FUNCTION_WORDS - _FOREIGN - listed("ambiguous", "languages")
_TALK = COURTESIES | listed("question_words", "languages")
_ASKING = tuple(phrase.replace("+", " ") for phrase in listed("asking", "languages"))
_I = re.compile(r"\b(?:I|[Ii]'\w+)\b")
_SENTENCE_OF_CHARACTERS, _SENTENCE_OF_WORDS, _REMARK_OF_WORDS = 5, 2, 4


def is_foreign(text: str) -> bool:
    """Whether the sentence is in another language than English, judging by its words."""
    if other := len(_OTHER_SCRIPT.findall(text)):
        return 2 * other >= sum(character.isalpha() for character in text)
    found = [word.lower() for word in words(text)]
    foreign = sum(word in _FOREIGN for word in found)
    english = sum(w in _ENGLISH or lexicon.is_past(w) for w in found) + bool(_I.search(text))
    return foreign > 2 * english or (english == 0 and bool(_ACCENTED.search(text)))


def _is_foreign_statement(text: str) -> bool:
    """Whether a sentence in another language is not a question, a courtesy or a request."""
    found, lower = [word.lower() for word in words(text)], text.lower()
    is_asked = re.search("[?\uff1f\u061f\u00bf]", text) or any(p in lower for p in _ASKING)
    if not found or is_asked or found[0] in _TALK or found[-1] in COURTESIES:
        return False
    is_unspaced = _UNSPACED.search(text)
    return len(text) >= _SENTENCE_OF_CHARACTERS if is_unspaced else len(found) >= _SENTENCE_OF_WORDS
