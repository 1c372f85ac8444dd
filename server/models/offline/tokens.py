"""The tokens of a sentence: words, quotations and punctuation marks, and the names among them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from server.core.text import WORD_PATTERN, normalized
from server.models.offline import lexicon
from server.models.offline.lexicon import ADVERBS, listed, word_set


class Token(NamedTuple):
    """A word, a quotation or a punctuation mark; `lower` is its form for comparisons."""

    text: str
    lower: str
    spaced: bool = True

    @property
    def is_name(self) -> bool:
        """Whether it is written like a name."""
        return self.text[:1].isupper() and self.lower not in lexicon.NOT_NAMES

    @property
    def is_word(self) -> bool:
        """Whether it is a word, or a quotation in place of a word."""
        return self.text[0].isalnum() or len(self.text) > 1


QUOTES: Final = '"\u201c\u201e\u00ab\u201d\u00bb'
JOINING: Final = frozenset({"and", "but", ",", ";", ":", "so", "\u2013", "\u2014"})
_TOKEN = re.compile(
    rf"\"[^\"]*\"|(?<!\w)(?<!: )'[^']+'(?!\w)"
    rf"|\u201c[^\u201d]*\u201d|\u201e[^\u201c\u201d]*[\u201c\u201d]|\u00ab[^\u00bb]*\u00bb"
    rf"|(?:Mr|Mrs|Ms|Dr|Prof|St)\.(?=\s)|{WORD_PATTERN}|[^\w\s]"
)
_SHORT = re.compile(r"(i|you|he|she|it|we|they|that|there|who)'(m|re|s|ve|ll|d)|(i)(m|ve)")
_WHOLE = {"m": "am", "re": "are", "s": "is", "ve": "have", "ll": "will", "d": "would"}
_STATES = listed("states") | listed("diets") | listed("marital")
_OWNERS = word_set("my our his her")


def tokenize(sentence: str) -> list[Token]:
    """Returns the tokens; short forms become two, such as `I'm` or `she's` for `she has`."""
    said, previous, tokens = list[Token](), 0, list[Token]()
    for match in _TOKEN.finditer(sentence):
        text = match.group()
        said.append(Token(text, normalized(text).lower(), match.start() > previous))
        previous = match.end()
    for place, token in enumerate(said):
        after = said[place + 1 :]
        short = _SHORT.fullmatch(token.lower)
        if not (short or (token.lower.endswith("'s") and _is_verb(said[:place], token, after))):
            tokens.append(token)
            continue
        first, ending = filter(None, short.groups()) if short else (token.lower[:-2], "s")
        verb = "has" if ending == "s" and _is_perfect(after) else _WHOLE[ending]
        text = "I" if first == "i" else token.text[: len(first)]
        tokens += [token._replace(text=text, lower=first), Token(verb, verb)]
    return tokens


def _is_verb(before: Sequence[Token], token: Token, after: Sequence[Token]) -> bool:
    """Whether `'s` is a verb: in `my sister's`, if no other verb follows, nor a noun."""
    end = next((p for p, each in enumerate(after) if each.lower in JOINING), len(after))
    after = after[after_adverbs(after, 0) : end]
    is_subject = before[0].lower in _OWNERS if before else token.is_name
    if not is_subject or not after or after[0].is_name or lexicon.kind_of(after[0].lower):
        return False
    return not any(lexicon.is_finite(each.lower) for each in after[1:])


def _is_perfect(after: Sequence[Token]) -> bool:
    """Whether the words after `'s` show that it means `has`: `she's moved`."""
    word, *owned = lowered(after[after_adverbs(after, 0) :][:2]) or [""]
    is_state = word in _STATES and _OWNERS.isdisjoint(owned)  # Not in `she's lost her bag`.
    return word in {"been", "got", "become"} or (lexicon.is_past(word) and not is_state)


def joined(tokens: Sequence[Token]) -> str:
    """Returns the text of tokens with their original spaces."""
    return "".join(f" {t.text}" if t.spaced else t.text for t in tokens).strip()


def lowered(tokens: Sequence[Token]) -> list[str]:
    """Returns the words of the tokens in their form for comparisons."""
    return [token.lower for token in tokens]


def after_adverbs(tokens: Sequence[Token], place: int) -> int:
    """Returns the place of the next token that is not an adverb."""
    while place < len(tokens) and tokens[place].lower in ADVERBS:
        place += 1
    return place


_PARTICLES, _MOST_NAME_WORDS = listed("name_particles"), 8
_INNER_NAME = re.compile(r"[a-z]{1,2}['\u2019][A-Z\u00c0-\u00de]")


def read_name(tokens: Sequence[Token], place: int) -> tuple[str, int] | None:
    """Returns the name that begins here, without an article, and its end."""
    start = end = place + (lowered(tokens[place : place + 1]) == ["the"])
    for at, token in enumerate(tokens[start : start + _MOST_NAME_WORDS], start):
        is_quoted = token.text[0] in QUOTES
        if is_quoted and end > start:
            break
        if token.is_name or is_quoted or _INNER_NAME.match(token.text):
            end = at + 1
        elif end == start or token.lower not in _PARTICLES:
            break
    return (joined(tokens[start:end]).strip(QUOTES), end) if end > start else None


def names_in(tokens: Sequence[Token], start: int = 0) -> Iterator[tuple[int, str]]:
    """Yields the names among the tokens and where each begins."""
    place = start
    while place < len(tokens):
        name = read_name(tokens, place) if tokens[place].lower != "the" else None
        if name:
            yield place, name[0].removesuffix("'s")
        place = name[1] if name else place + 1
