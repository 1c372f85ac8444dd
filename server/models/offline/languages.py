"""Recognises sentences in other languages than English, and statements among them.

A sentence in another language is kept verbatim, unless the word lists recognise it as a question, a
courtesy or a request.
"""

from __future__ import annotations

import re

from server.core.text import words
from server.memories.conversation import COURTESIES
from server.models.offline.lexicon import FUNCTION_WORDS, is_past, listed

_OTHER_SCRIPT = re.compile(r"[\u0370-\u1dff\u1f00-\u1fff\u2e80-\ud7ff\uf900-\ufaff]")
_UNSPACED = re.compile(r"[\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff]")
_ACCENTED = re.compile(r"[\u00c0-\u024f\u1e00-\u1eff\u00bf]")
_FOREIGN = listed("foreign", "languages")
_ENGLISH = FUNCTION_WORDS - _FOREIGN - listed("ambiguous", "languages")
_TALK = COURTESIES | listed("question_words", "languages")
_ASKING = tuple(phrase.replace("+", " ") for phrase in listed("asking", "languages"))
_QUESTION_MARK = re.compile("[?\uff1f\u061f\u00bf]")
_I = re.compile(r"\b(?:I|[Ii]'\w+)\b")
_LAST = re.compile(r"[,\uff0c\u3001]\s*([^\W\d_]+)[\s.!]*$")
_SENTENCE_OF_CHARACTERS = 5
_SENTENCE_OF_WORDS = 2


def is_foreign(text: str) -> bool:
    """Whether the sentence is in another language than English, judging by its words."""
    if other := len(_OTHER_SCRIPT.findall(text)):
        return 2 * other >= sum(character.isalpha() for character in text)
    found = [word.lower() for word in words(text)]
    foreign = sum(word in _FOREIGN for word in found)
    if english := sum(word in _ENGLISH or is_past(word) for word in found) + bool(_I.search(text)):
        return foreign > 2 * english
    return foreign > 0 or bool(_ACCENTED.search(text))


def is_statement(text: str) -> bool:
    """Whether a sentence in another language is not a question, a courtesy or a request."""
    found = [word.lower() for word in words(text)]
    lower = text.lower()
    is_asked = _QUESTION_MARK.search(text) or any(phrase in lower for phrase in _ASKING)
    if not found or is_asked or found[0] in _TALK or _is_thanks(lower):
        return False
    if _UNSPACED.search(text):
        return len(text) >= _SENTENCE_OF_CHARACTERS
    return len(found) >= _SENTENCE_OF_WORDS


def _is_thanks(text: str) -> bool:
    """Whether it ends with thanks: `mir geht es gut, danke`."""
    last = _LAST.search(text)
    return last is not None and last.group(1) in COURTESIES
