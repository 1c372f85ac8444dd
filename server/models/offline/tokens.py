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
    said, previous = list[Token](), 0
    for match in _TOKEN.finditer(sentence):
        text = match.group()
        said.append(Token(text, normalized(text).lower(), match.start() > previous))
        previous = match.end()
    tokens = list[Token]()
    for place, token in enumerate(said):
        short = _SHORT.fullmatch(token.lower)
        if short or _is_subject_with_verb(said, place):
            first, ending = filter(None, short.groups()) if short else (token.lower[:-2], "s")
            text = "I" if first == "i" else token.text[: len(first)]
            is_perfect = ending == "s" and _is_perfect(said[place + 1 :])
            verb = "has" if is_perfect else _WHOLE[ending]
            tokens += [token._replace(text=text, lower=first), Token(verb, verb)]
        else:
            tokens.append(token)
    return tokens


def _is_subject_with_verb(tokens: Sequence[Token], place: int) -> bool:
    """Whether this is `my sister's` for `my sister is`: no other verb follows in its clause."""
    if not tokens[place].lower.endswith("'s"):
        return False
    start = next((p for p in range(place, 0, -1) if tokens[p - 1].lower in JOINING), 0)
    end = next((p for p in range(place, len(tokens)) if tokens[p].lower in JOINING), len(tokens))
    after = tokens[after_adverbs(tokens, place + 1) : end]
    is_owned = tokens[start].lower in _OWNERS and place > start
    is_noun = after and (after[0].lower in lexicon.KINSHIP or after[0].is_name)
    is_subject = is_owned or all(token.is_name for token in tokens[start : place + 1])
    return bool(after and is_subject and not is_noun) and not any(
        may_be_verb(token.lower) for token in after[1:]
    )


def may_be_verb(word: str) -> bool:
    """Whether the word is a verb that can stand after a noun."""
    return word in lexicon.HELPING or lexicon.is_past(word) or word in lexicon.THIRD_PERSONS


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


_PARTICLES = listed("name_particles")
_INNER_NAME = re.compile(r"[a-z]{1,2}['\u2019][A-Z\u00c0-\u00de]")
_MOST_NAME_WORDS = 8


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
