"""Finds the sentences in a speaker's own words, classifies them, and describes their tokens.

A sentence in another language than English is kept verbatim, unless the word lists recognise it as
a question, a courtesy or a request.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from server.core.text import WORD_PATTERN, normalized, sentences, without_marker, words
from server.memories.add.others_text import OthersTextKind, find_others_text
from server.memories.conversation import COURTESIES
from server.models.offline import lexicon
from server.models.offline.lexicon import FUNCTION_WORDS, is_past, kind_of, listed, pattern


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
        return self.text[0].isalnum() or len(self.text) > 1


QUOTES = '"\u201c\u201e\u00ab'
_TOKEN = re.compile(
    rf"\"[^\"]*\"|(?<!\w)(?<!: )'[^']+'(?!\w)"
    rf"|\u201c[^\u201d]*\u201d|\u201e[^\u201c\u201d]*[\u201c\u201d]|\u00ab[^\u00bb]*\u00bb"
    rf"|(?:Mr|Mrs|Ms|Dr|Prof|St)\.(?=\s)|{WORD_PATTERN}|[^\w\s]"
)
_SHORT = re.compile(
    r"(i|you|he|she|it|we|they|that|there|what|where|who|how)'(m|re|s|ve|ll|d)|(i)(m|ve)"
)
_SPOKEN = {"gonna": "going", "wanna": "want", "gotta": "got"}
_WHOLE_VERBS = {"m": "am", "re": "are", "s": "is", "ve": "have", "ll": "will", "d": "would"}
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
            token = (
                IS
                if ending == "s"
                else Token(_WHOLE_VERBS[ending], _WHOLE_VERBS[ending], spaced=True)
            )
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
_FICTION, _IMAGINED = pattern("fiction"), pattern("imagined")
_CORRECTING = pattern("correcting")
_DIARY = pattern("diary")
_FULL = {pattern(name): full for name, full in lexicon.table("full").items()}
"""Statements in short or in other words, and how they begin in full."""

_QUESTION_MARKS = ("?", "\uff1f", "\u061f", ";?")
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
        is_statement = is_foreign_statement(text)
        return Sentence(text, text if is_statement else "", is_foreign=True)
    statement = _with_subject(_TAIL.sub("", _without_lead(text)))
    level = normalized(statement)
    if _FICTION.match(level) or _IMAGINED.search(level):
        return None
    asks = text.rstrip(_CLOSING).endswith(_QUESTION_MARKS) or "?" in text[-3:]
    turns = [_TURN_TO_REQUEST.search(level), _TURN_TO_QUESTION.search(level) if asks else None]
    starts = [turn.start() for turn in turns if turn]
    if starts:
        statement = statement[: min(starts)].rstrip(" ,;:")
    elif asks:
        statement = ""
    return Sentence(text, statement, is_correction=bool(_CORRECTING.search(text)))


def _with_subject(statement: str) -> str:
    """Returns the statement with `I` added to `Moved to Ulm`, `Call me Jo` and the like."""
    level = normalized(statement)
    if len(level) != len(statement):
        return statement
    level = level[:1].lower() + level[1:]
    for short, full in _FULL.items():
        if (match := short.match(level)) is not None:
            return match.expand(full) + statement[match.end() :]
    diary = _DIARY.match(level)
    if diary is None or not lexicon.is_past(diary.group(1)):
        return statement
    is_told = lexicon.verb_stem(diary.group(1)) in lexicon.VERB_STEMS
    return f"I {level}" if is_told else statement


def _without_lead(text: str) -> str:
    """Returns the text without `well,`, `by the way,` and the like in front."""
    level = normalized(text)
    if len(level) != len(text):
        return text
    position = 0
    while (lead := _LEAD.match(level, position)) and lead.end() > position:
        position = lead.end()
    return text[position:].strip()


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


def is_foreign_statement(text: str) -> bool:
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
