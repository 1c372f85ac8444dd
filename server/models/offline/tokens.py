"""The words, quotations and punctuation marks of a sentence."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from server.core.text import WORD_PATTERN, normalized
from server.models.offline import lexicon
from server.models.offline.lexicon import kind_of


class Token(NamedTuple):
    """A word, a quotation or a punctuation mark; `lower` is its form for comparisons."""

    text: str
    lower: str
    spaced: bool

    @property
    def is_name(self) -> bool:
        """Whether it is written like a name."""
        return self.text[:1].isupper() and self.lower not in lexicon.NOT_NAMES

    @property
    def is_word(self) -> bool:
        """Whether it is a word, or a quotation in place of a word."""
        return self.text[0].isalnum() or self.text[0] in QUOTES


QUOTES = '"\u201c\u201e\u00ab'
_TOKEN = re.compile(
    rf"\"[^\"]*\"|\u201c[^\u201d]*\u201d|\u201e[^\u201c\u201d]*[\u201c\u201d]|\u00ab[^\u00bb]*\u00bb"
    rf"|(?:Mr|Mrs|Ms|Dr|Prof|St)\.(?=\s)|{WORD_PATTERN}|[^\w\s]"
)
_SHORT = re.compile(
    r"(i|you|he|she|it|we|they|that|there|what|where|who|how)'(m|re|s|ve|ll|d)|(i)(m|ve)"
)
_SPOKEN = {"gonna": "going", "wanna": "want", "gotta": "got"}
_FULL = {"m": "am", "re": "are", "s": "is", "ve": "have", "ll": "will", "d": "would"}
_HELPING = lexicon.AUXILIARIES | lexicon.MODALS
IS, HAS = Token("is", "is", spaced=True), Token("has", "has", spaced=True)


def split_words(sentence: str) -> list[Token]:
    """Returns the tokens of a sentence; short forms, such as `I'm` and `gonna`, become two words.

    A short form of `is` could also mean `has`.
    """
    tokens: list[Token] = []
    previous, is_plain = 0, sentence.isascii()
    for match in _TOKEN.finditer(sentence):
        text = match.group()
        lower = text.lower() if is_plain else normalized(text).lower()
        if tokens and text.istitle() and lower in _HELPING and kind_of(tokens[-1].lower):
            lower = text  # The verb has no capital after a noun: `my friend Will`.
        token = Token(text, lower, match.start() > previous)
        previous = match.end()
        if short := _SHORT.fullmatch(token.lower):
            first, ending = filter(None, short.groups())
            head = "I" if first == "i" else text[: len(first)]
            tokens.append(token._replace(text=head, lower=first))
            token = IS if ending == "s" else Token(_FULL[ending], _FULL[ending], spaced=True)
        elif verb := _SPOKEN.get(token.lower):
            tokens.append(token._replace(text=verb, lower=verb))
            token = Token("to", "to", spaced=True)
        tokens.append(token)
    return tokens


def joined(tokens: Sequence[Token]) -> str:
    """Returns the text of tokens with their original spaces."""
    return "".join(f" {t.text}" if t.spaced else t.text for t in tokens).strip()


def lowered(tokens: Sequence[Token]) -> list[str]:
    """Returns the words of the tokens in their form for comparisons."""
    return [token.lower for token in tokens]


def after_adverbs(tokens: Sequence[Token], place: int) -> int:
    """Returns the place of the next token that is not an adverb."""
    while place < len(tokens) and tokens[place].lower in lexicon.ADVERBS:
        place += 1
    return place
