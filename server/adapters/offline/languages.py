"""Telling sentences of other languages from English ones, and statements from greetings."""

from __future__ import annotations

import re

from server.adapters.offline.words import word_set, words

# Scripts that English is not written in: Greek and everything after it up to the symbols, then CJK.
_OTHER_SCRIPT = re.compile(r"[\u0370-\u1fff\u2e80-\ud7ff\uf900-\ufaff]")
_ACCENTED = re.compile(r"[\u00c0-\u024f]")
_UNSPACED = re.compile(r"[\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff]")
_SENTENCE_OF_CHARACTERS = 5
_SENTENCE_OF_WORDS = 3
_MARKERS_WITHOUT_ACCENT = 2

_FUNCTION_WORDS = word_set(
    """el los las una uno estoy soy tengo mis vivo trabajo gusta mudé esposa hermana hermano que por
    para pero porque muy también desde hace ich bin mein meine habe wohne arbeite und der das ein
    eine nicht mag seit heiße liebe spiele wir je suis mon ma mes habite j'habite travaille j'ai
    j'aime j'adore les une dans avec est sont pas mais très depuis sono mia mio abito vivo lavoro ho
    gli che piace con della nel eu sou meu minha moro trabalho não em um uma gosto tenho com há ik
    ben mijn woon werk het een niet heb houd"""
)
_COURTESIES = word_set(
    """hola gracias muchas buenos buenas bonjour salut merci hallo danke guten tschüss ciao grazie
    buongiorno olá oi obrigado obrigada bom boa dank bedankt adiós adieu привет спасибо"""
)


def is_foreign_statement(text: str) -> bool:
    """Whether the text looks like a sentence of another language that is more than a courtesy."""
    found = [word.lower() for word in words(text)]
    if not found or found[0] in _COURTESIES:
        return False
    if _OTHER_SCRIPT.search(text):
        needed = _SENTENCE_OF_CHARACTERS if _UNSPACED.search(text) else _SENTENCE_OF_WORDS
        units = len(text) if _UNSPACED.search(text) else len(found)
        return units >= needed
    markers = sum(word in _FUNCTION_WORDS for word in found)
    accented = bool(_ACCENTED.search(text))
    return len(found) >= _SENTENCE_OF_WORDS and markers + accented >= _MARKERS_WITHOUT_ACCENT
