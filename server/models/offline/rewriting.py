"""From what a speaker says of themselves to what is said of them: `I moved` to `User moved`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from server.models.offline.lexicon import ADVERBS, third_person, word_set
from server.models.offline.statements import Statement, Who
from server.models.offline.tokens import Token, after_adverbs, joined

_PRESENT_OTHERS = word_set("you your yours yourself we us ours ourselves")
"""Words whose meaning depends on who else is there."""

_PLURAL = {"am": "are", "was": "were"}
_OWN = {"my": "their", "our": "their", "i": "they", "me": "them", "mine": "theirs",
        "myself": "themself"}  # fmt: skip


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
    tokens, verb = statement.tokens, statement.verb + 1
    is_own = statement.who is Who.SPEAKER
    front = _others(tokens[: statement.begin], speaker, is_own=False)
    rest = _others(tokens[verb:], speaker, is_own=is_own)
    if statement.who is Who.GROUP or front is None or rest is None:
        return None
    group = list(tokens[statement.end : verb])
    first = after_adverbs(group, 0)
    if is_own:
        group[first] = group[first]._replace(text=third_person(group[first].lower))
    gap = " " if rest and tokens[verb].spaced else ""
    text = f"{front} {subject} {joined(group)}{gap}{rest}".strip()
    return text[:1].upper() + text[1:]


def _others(tokens: Sequence[Token], speaker: Speaker, *, is_own: bool) -> str | None:
    """The other words, with the speaker's own pronouns replaced; None where one is not safe.

    `is_own` says that the speaker is the subject, whom `they` and `their` mean then.
    """
    found: list[Token] = []
    after_i = False
    for token in tokens:
        text, word = token.text, token.lower
        if word in _PRESENT_OTHERS:
            return None
        if word in _OWN and text not in {"ME", "MINE"}:
            text = _OWN[word] if is_own else speaker.name
            if not is_own and word in {"my", "our", "mine"}:
                text = speaker.possessive
        elif after_i and word not in ADVERBS:
            text = _PLURAL.get(word, text) if is_own else third_person(text)
        after_i = word == "i" or (after_i and word in ADVERBS)
        found.append(token if text is token.text else token._replace(text=text))
    return joined(found)
