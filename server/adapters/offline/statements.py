"""Which sentences state something that lasts, and which are talk."""

from __future__ import annotations

import re
from dataclasses import dataclass

from server.adapters.offline import talk
from server.adapters.offline.languages import is_foreign_statement
from server.adapters.offline.words import expanded, level, plain, words
from server.domain.conversation import Role

MAX_LENGTH = 1_000
"""Longer sentences are no sentences, but data."""

_CODE = re.compile(r"[\\{}=|]|\[[A-Z]")
_MIN_WORDS = 2
_MIN_SHARE_OF_LETTERS = 0.6
_TAIL = ",;:- \u2013\u2014"


@dataclass(frozen=True, slots=True)
class Statement:
    """A passage, word for word as it was said, that states something.

    `text` is the passage without what leads up to it (`by the way, ...`). `personal` says that it
    speaks of the speaker; where it does not, it may be of no interest. `foreign`: not in English.
    """

    quote: str
    text: str
    personal: bool
    foreign: bool = False

    @property
    def is_vague(self) -> bool:
        """Whether it only says what the speaker will do at no certain time."""
        return bool(talk.INTENTION.search(expanded(level(self.text)))) and not (
            talk.DATED.search(self.text) or talk.SOON.search(self.text)
        )

    @property
    def is_notable(self) -> bool:
        """Whether an impersonal statement is about one definite thing and names a day or number."""
        return bool(talk.ABOUT_A_THING.match(self.text) and talk.DATED.search(self.text))


def statement(sentence: str, role: Role) -> Statement | None:
    """What the sentence of a user or an assistant states; None if it only asks, greets or chats.

    Of an assistant's sentences only those count that say what it is or has done.
    """
    if len(sentence) > MAX_LENGTH or _is_data(sentence):
        return None
    quote = _declarative_part(sentence)
    text = _without_lead(quote)
    if role is Role.USER and (naming := talk.CALL_ME.match(level(text))):
        return Statement(quote, f"I want to be called {text[naming.end() :]}", personal=True)
    if role is Role.USER and is_foreign_statement(text):
        return Statement(quote, text, personal=True, foreign=True)
    folded = expanded(plain(text))
    if len(words(folded)) < _MIN_WORDS or _is_talk(folded):
        return None
    if role is Role.ASSISTANT:
        return Statement(quote, text, personal=True) if talk.OF_ASSISTANT.match(folded) else None
    return Statement(quote, text, personal=bool(talk.FIRST_PERSON.search(folded)))


def _is_talk(folded: str) -> bool:
    return bool(
        talk.OPENING.match(folded) or talk.PASSING.match(folded) or talk.HYPOTHETICAL.search(folded)
    )


def _is_data(sentence: str) -> bool:
    """Whether this is code, a table or a log line rather than language."""
    if _CODE.search(sentence):
        return True
    letters = sum(character.isalpha() or character.isspace() for character in sentence)
    return letters < _MIN_SHARE_OF_LETTERS * len(sentence)


def _declarative_part(sentence: str) -> str:
    """The sentence up to the question or request that it ends in; empty if nothing is before it.

    `I'm vegan, what should I cook?` states `I'm vegan`.
    """
    asks = sentence.rstrip(talk.CLOSING).endswith(talk.QUESTION_MARKS)
    leveled = level(sentence)
    turns = [talk.TO_REQUEST.search(leveled), talk.TO_QUESTION.search(leveled) if asks else None]
    starts = [turn.start() for turn in turns if turn]
    if starts:
        return sentence[: min(starts)].rstrip(_TAIL)
    return "" if asks else sentence


def _without_lead(text: str) -> str:
    """The text without `well,`, `by the way,` and their like in front."""
    position = 0
    leveled = level(text)
    lead: re.Match[str] | None = talk.LEAD.match(leveled)
    while lead and lead.end() > position:
        position = lead.end()
        lead = talk.LEAD.match(leveled, position)
    return text[position:].strip()
