"""From what a speaker says of themselves to what is said of them: `I moved` to `User moved`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from server.models.offline.clauses import Token, joined
from server.models.offline.lexicon import ADVERBS, third_person, word_set
from server.models.offline.statements import Statement, Who

_PRESENT_OTHERS = word_set("you your yours yourself we us ours ourselves")
"""Words whose meaning depends on who else is there."""

_PLURAL = {"am": "are", "was": "were", "is": "are"}


@dataclass(frozen=True, slots=True)
class Speaker:
    """Whose words are rewritten, by the name that stands for them and its type in the graph."""

    name: str
    type: str = "person"

    @property
    def possessive(self) -> str:
        """The name as an owner's: `Anna's`."""
        return f"{self.name}'s"


def attributed(text: str, speaker: Speaker) -> str:
    """The text as it is, as something that the speaker said."""
    return f"{speaker.name} said: {' '.join(text.split())}"


def third_person_text(statement: Statement, speaker: Speaker, subject: str) -> str | None:
    """The statement in the third person with `subject` as its subject, without its full stop.

    None where that is not safe: it speaks for several people, or to somebody who is present.
    """
    if statement.who is Who.GROUP:
        return None
    begin, end = statement.subject
    is_own = statement.who is Who.SPEAKER
    front = _others(statement.tokens[:begin], speaker, is_own=False)
    group = _conjugated(statement.tokens[end : statement.verb + 1], is_own=is_own)
    rest = _others(statement.tokens[statement.verb + 1 :], speaker, is_own=is_own)
    if front is None or rest is None:
        return None
    text = f"{front} {subject} {group}{rest and _gap(statement)}{rest}".strip()
    return text[:1].upper() + text[1:]


def _gap(statement: Statement) -> str:
    return " " if statement.tokens[statement.verb + 1].spaced else ""


def _conjugated(tokens: Sequence[Token], *, is_own: bool) -> str:
    """The verb with its auxiliaries and adverbs; the first of them in the third person."""
    found = list(tokens)
    for place, token in enumerate(found):
        if is_own and token.lower not in ADVERBS | {"not"}:
            found[place] = replace(token, text=third_person(token.lower))
            break
    return joined(found)


def _others(tokens: Sequence[Token], speaker: Speaker, *, is_own: bool) -> str | None:
    """The other words, with the speaker's own pronouns replaced; None where one is not safe.

    `is_own` says that the speaker is the subject, whom `they` and `their` mean then.
    """
    own = {"my": "their", "our": "their", "i": "they", "me": "them", "mine": "theirs"}
    named = {"my": speaker.possessive, "our": speaker.possessive, "i": speaker.name,
             "me": speaker.name, "mine": speaker.possessive}  # fmt: skip
    words = own if is_own else named
    found: list[Token] = []
    after_i = False
    for token in tokens:
        text = token.text
        if token.lower in _PRESENT_OTHERS:
            return None
        if token.lower in words and text not in {"ME", "MINE"}:
            text = words[token.lower]
        elif token.lower == "myself":
            text = "themself"
        elif after_i and token.lower not in ADVERBS:
            text = _PLURAL.get(token.lower, text) if is_own else third_person(text)
        after_i = token.lower == "i" or (after_i and token.lower in ADVERBS)
        found.append(replace(token, text=text))
    return joined(found)
