"""From what a speaker says of themselves to what is said of them: `I moved` to `User moved`."""

from __future__ import annotations

import re
from dataclasses import dataclass

from server.adapters.offline.verbs import after_subject, is_coordinated
from server.adapters.offline.words import TOKEN, expanded, plain, word_set

_UNSAFE = word_set(
    """you your yours yourself u we us we're we've we'll we'd ours ourselves let's"""
)
"""Words whose meaning depends on who else is there."""

_ADVERBS = word_set(
    """really also just still always usually often never currently now recently actually absolutely
    totally mostly mainly sometimes generally personally only even already finally officially
    normally typically regularly occasionally rarely definitely truly honestly simply strongly
    primarily no longer soon once ever only almost probably apparently sadly luckily happily"""
)
_INVERTED = word_set("do did can could should would will am have was must may shall")
_MODAL = word_set("will would can could should may might must cannot can't won't wouldn't couldn't")
_JOINING = frozenset({"and", "but", "or"})
_NEW_CLAUSE = word_set(
    """because when while that who which whose he she they it if since where before after as than
    what how why although though unless until so"""
)
_PAST = re.compile(r"\b(?:yesterday|last|ago|once|earlier|when I was)\b", re.IGNORECASE)
_COUPLE = re.compile(
    r"(my [a-z]+(?: [A-Z][\w'-]*)?|[A-Z][\w'-]*) and I (?!am\b|don't\b)(?=\w)", re.IGNORECASE
)
_ENDING = " .!,;:"


@dataclass(frozen=True, slots=True)
class Speaker:
    """Whose words are rewritten, by the name that stands for them and its type in the graph."""

    name: str
    type: str = "person"

    @property
    def possessive(self) -> str:
        """The name as an owner's: `Anna's`."""
        return f"{self.name}'s"


def attributed(sentence: str, speaker: Speaker) -> str:
    """The sentence as it is, as something that the speaker said."""
    return f"{speaker.name} said: {' '.join(sentence.split())}"


def rewritten(sentence: str, speaker: Speaker) -> str | None:
    """The sentence in the third person, without its full stop; None where that is not safe.

    Safe is what is understood: an English sentence that speaks of nobody present but the speaker,
    with known verbs after `I`.
    """
    text = expanded(plain(sentence)).rstrip(_ENDING)
    tokens = TOKEN.findall(_couple(text, speaker))
    result = _Rewriter(tokens, speaker, in_the_past=bool(_PAST.search(text))).run()
    return result[:1].upper() + result[1:] if result else None


def _couple(text: str, speaker: Speaker) -> str:
    """`My wife and I live` with the speaker named, so that the verb stays in the plural."""
    return _COUPLE.sub(rf"\1 and {speaker.name} ", text, count=1) if _COUPLE.match(text) else text


class _Rewriter:
    """Goes through the tokens once, keeping track of who the subject is."""

    def __init__(self, tokens: list[str], speaker: Speaker, *, in_the_past: bool) -> None:
        self._tokens = tokens
        self._speaker = speaker
        self._in_the_past = in_the_past
        self._words = [index for index, token in enumerate(tokens) if token[0].isalnum()]
        self._out = list(tokens)
        self._is_subject = False
        self._goes_on = False
        self._conjugates = True

    def run(self) -> str | None:
        """The rewritten text, or None where a word is not understood."""
        place = 0
        while place < len(self._words):
            word = self._lower(place)
            if word in _UNSAFE:
                return None
            if word == "i":
                if place and self._lower(place - 1) in _INVERTED:
                    return None
                verb = self._rewrite_subject(place)
                if verb is None:
                    return None
                place = verb
            else:
                self._rewrite_other(place, word)
            place += 1
        return "".join(self._out)

    def _rewrite_subject(self, place: int) -> int | None:
        """Puts the name for `I` and its verb in order; the verb's place, or None if unknown."""
        verb_place = place + 1
        while verb_place < len(self._words) and self._lower(verb_place) in _ADVERBS:
            verb_place += 1
        if verb_place == len(self._words):
            return None
        verb = self._lower(verb_place)
        form = after_subject(verb, in_the_past=self._in_the_past)
        if form is None:
            return None
        if self._goes_on and self._lower(place - 1) in _JOINING:
            self._remove(place)
        else:
            self._put(place, self._speaker.name)
        self._put(verb_place, form)
        self._goes_on = not self._is_subject or self._goes_on
        self._is_subject = True
        self._conjugates = verb not in _MODAL
        return verb_place

    def _rewrite_other(self, place: int, word: str) -> None:
        if word in {"my", "our"}:
            self._put(place, "their" if self._is_subject else self._speaker.possessive)
        elif word == "mine":
            self._put(place, self._speaker.possessive)
        elif word == "me":
            self._put(place, self._speaker.name)
        elif word == "myself":
            self._put(place, "themself")
        elif word in _NEW_CLAUSE:
            self._goes_on = False
        elif word == "to":
            self._conjugates = False
        elif self._goes_on and self._conjugates and self._lower(place - 1) in _JOINING:
            self._rewrite_coordinated(place, word)

    def _rewrite_coordinated(self, place: int, word: str) -> None:
        following = self._lower(place + 1) if place + 1 < len(self._words) else None
        if is_coordinated(word, following):
            form = after_subject(word, in_the_past=self._in_the_past)
            self._put(place, form or word)

    def _lower(self, place: int) -> str:
        return self._tokens[self._words[place]].lower()

    def _put(self, place: int, text: str) -> None:
        self._out[self._words[place]] = text

    def _remove(self, place: int) -> None:
        index = self._words[place]
        self._out[index] = ""
        if index + 1 < len(self._out) and self._out[index + 1].isspace():
            self._out[index + 1] = ""
