"""Telling sentences of other languages from English ones, and statements from other talk.

A sentence in a language that cannot be parsed is kept as it stands, unless it asks, greets, thanks
or requests in a language of which these lists know the words.
"""

from __future__ import annotations

import re

from server.core.words import words
from server.models.offline.lexicon import any_of, words_of

_OTHER_SCRIPT = re.compile(r"[\u0370-\u1fff\u2e80-\ud7ff\uf900-\ufaff]")
_UNSPACED = re.compile(r"[\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff]")
_ACCENTED = re.compile(r"[\u00c0-\u024f\u1e00-\u1eff]")
_SENTENCE_OF_CHARACTERS = 5
_SENTENCE_OF_WORDS = 2
_ENGLISH = words_of("english", "languages")
_FOREIGN = words_of("foreign", "languages")
_TALK = words_of("talk", "languages")
_QUESTION_WORDS = words_of("question_words", "languages")
_REQUESTS = re.compile(any_of("requests", "languages"), re.IGNORECASE)
_UNSPACED_TALK = re.compile(
    f"^(?:{any_of('unspaced_talk', 'languages')})"
    f"|(?:{any_of('unspaced_endings', 'languages')})[\u3002\uff01!.]*$"
    f"|{any_of('unspaced_questions', 'languages')}"
)
_I = re.compile(r"\bI\b")
_QUESTION_MARK = re.compile("[?\uff1f\u061f\u00bf]")


def is_foreign(text: str) -> bool:
    """Whether the sentence is of another language than English, as far as its words tell."""
    letters = sum(character.isalpha() for character in text)
    other = len(_OTHER_SCRIPT.findall(text))
    if other:
        return 2 * other >= letters
    found = [word.lower() for word in words(text)]
    english = sum(word in _ENGLISH for word in found) + bool(_I.search(text))
    if english:
        return sum(word in _FOREIGN for word in found) > 2 * english
    return (
        any(word in _FOREIGN or word in _TALK for word in found)
        or bool(_ACCENTED.search(text))
        or "\u00bf" in text
    )


def is_statement(text: str) -> bool:
    """Whether a sentence of another language is more than a question, a courtesy or a request."""
    found = [word.lower() for word in words(text)]
    if not found or _QUESTION_MARK.search(text) or _REQUESTS.search(text):
        return False
    if _UNSPACED.search(text):
        return len(text) >= _SENTENCE_OF_CHARACTERS and not _UNSPACED_TALK.search(text)
    is_talk = found[0] in _QUESTION_WORDS or any(w in _TALK for w in (*found[:2], found[-1]))
    return len(found) >= _SENTENCE_OF_WORDS and not is_talk
