"""Rewrites statements from the first to the third person: `I moved` becomes `User moved`.

It also resolves short forms, where `'s` means `is`, `has`, or a possessive.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from server.models.offline import lexicon
from server.models.offline.clauses import JOINING, is_verb
from server.models.offline.lexicon import ADVERBS, listed, third_person, word_set
from server.models.offline.sentences import HAS, IS, Token, after_adverbs, joined, split_words
from server.models.offline.statements import Statement, Who

_OWNERS = word_set("my our his her")
_STATES = (
    listed("diets")
    | listed("marital")
    | listed("moods")
    | word_set("called named based located born allergic pregnant ill sick")
)
_MOST_OWNED_WORDS = 3


def tokenize(sentence: str) -> list[Token]:
    """Returns the tokens of a sentence; short forms such as `I'm` become two tokens."""
    said, tokens = split_words(sentence), list[Token]()
    for place, token in enumerate(said):
        is_short = _is_short(said, place)
        if is_short:
            tokens.append(token._replace(text=token.text[:-2], lower=token.lower[:-2]))
        if is_short or token is IS:
            tokens.append(HAS if _is_perfect(said[after_adverbs(said, place + 1) :]) else IS)
        else:
            tokens.append(token)
    return tokens


def _is_short(tokens: Sequence[Token], place: int) -> bool:
    """Whether this is `sister's` for `sister is`, because no other verb follows in its clause."""
    if not tokens[place].lower.endswith("'s"):
        return False
    end = next((p for p in range(place, len(tokens)) if tokens[p].lower in JOINING), len(tokens))
    first = after_adverbs(tokens, place + 1)
    if first >= end or any(is_verb(tokens, n) for n in range(first + 1, end)):
        return False
    after = tokens[first]
    is_noun = after.lower in lexicon.KINSHIP or (tokens[place].is_name and after.is_name)
    return not is_noun and _begins_clause(tokens, place)


def _is_perfect(after: Sequence[Token]) -> bool:
    """Whether the words after `'s` show that it means `has`: `she's moved`."""
    word, *owned = [token.lower for token in after[:2]] or [""]
    is_state = word in _STATES and _OWNERS.isdisjoint(owned)  # Not in `she's lost her bag`.
    return word in {"been", "got", "become"} or (lexicon.is_past(word) and not is_state)


def _begins_clause(tokens: Sequence[Token], place: int) -> bool:
    """Whether a clause begins with `my older sister` or a name that ends at this place."""
    start = next((p for p in range(place, 0, -1) if tokens[p - 1].lower in JOINING), 0)
    is_owned = tokens[start].lower in _OWNERS and place > start
    return (is_owned and place - start <= _MOST_OWNED_WORDS) or all(
        token.is_name for token in tokens[start : place + 1]
    )


_OTHERS_PRESENT = word_set("you your yours yourself we us ours ourselves")
"""Words whose meaning depends on who is present."""

_PLURAL = {"am": "are", "was": "were"}
_OWN = {"my": "their", "our": "their", "i": "they", "me": "them", "mine": "theirs",
        "myself": "themself"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Speaker:
    """The speaker of the words, by name and type in the graph."""

    name: str
    type: str = "person"

    @property
    def possessive(self) -> str:
        """The possessive form of the name: `Anna's`."""
        return f"{self.name}'s"


def attributed(text: str, speaker: Speaker) -> str:
    """Returns the verbatim text as something that the speaker said."""
    return f"{speaker.name} said: {' '.join(text.split())}"


def third_person_text(statement: Statement, speaker: Speaker, subject: str) -> str | None:
    """Returns the statement in the third person with this subject, without its full stop.

    Returns None if that is not safe, because it speaks for several people or addresses somebody.
    """
    tokens, verb_end = statement.tokens, statement.verb + 1
    is_own = statement.who is Who.SPEAKER
    front = _without_pronouns(tokens[: statement.begin], speaker, is_own=False)
    rest = _without_pronouns(tokens[verb_end:], speaker, is_own=is_own)
    if statement.who is Who.GROUP or front is None or rest is None:
        return None
    verbs = list(tokens[statement.end : verb_end])
    first = after_adverbs(verbs, 0)
    if is_own:
        verbs[first] = verbs[first]._replace(text=third_person(verbs[first].lower))
    gap = " " if rest and tokens[verb_end].spaced else ""
    text = f"{front} {subject} {joined(verbs)}{gap}{rest}".strip()
    return text[:1].upper() + text[1:]


def _without_pronouns(tokens: Sequence[Token], speaker: Speaker, *, is_own: bool) -> str | None:
    """Returns the words with the speaker's pronouns replaced; None if that is not safe.

    `is_own` is whether the speaker is the subject, so that `they` and `their` mean the speaker.
    """
    found: list[Token] = []
    after_i = False
    for token in tokens:
        text, word = token.text, token.lower
        if word in _OTHERS_PRESENT:
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
