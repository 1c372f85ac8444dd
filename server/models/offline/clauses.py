"""A sentence falls into its clauses, so that each can be a memory of its own.

`I moved to Lisbon and I work at Acme` are two clauses; `I am vegetarian and lactose intolerant` are
too, of which the second shares the first one's subject and verb.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from server.core.words import WORD_PATTERN, normalized
from server.models.offline.lexicon import (
    ADVERBS,
    AUXILIARIES,
    CONDITIONAL,
    DETERMINERS,
    MAYBE_NOUNS,
    MODALS,
    NEGATED,
    NOT_NAMES,
    PREPOSITIONS,
    PRONOUNS,
    REASON_OR_TIME,
    STATES,
    VERBS,
    is_past,
    third_person,
    word_set,
)


@dataclass(frozen=True, slots=True)
class Token:
    """A word, a quotation or a punctuation mark, and where it stands in its sentence."""

    text: str
    lower: str
    start: int
    end: int
    spaced: bool

    @property
    def is_name(self) -> bool:
        """Whether it is written like a name."""
        return self.text[:1].isupper() and self.lower not in NOT_NAMES and self.text != "I"

    @property
    def is_word(self) -> bool:
        """Whether it is a word, or a quotation in the place of one."""
        return self.text[0].isalnum() or self.text[0] in _QUOTES


@dataclass(frozen=True, slots=True)
class Clause:
    """The words of a clause with its subject, and where it stands in its sentence.

    `is_whole` says that it has its subject itself. `joined_by` is the word before it, "" if none.
    """

    tokens: tuple[Token, ...]
    start: int
    end: int
    is_whole: bool
    joined_by: str


_QUOTES = '"\u201c\u201e\u00ab'
_TOKEN = re.compile(
    rf"\"[^\"]*\"|\u201c[^\u201d]*\u201d|\u201e[^\u201c\u201d]*[\u201c\u201d]|\u00ab[^\u00bb]*\u00bb"
    rf"|(?:Mr|Mrs|Ms|Dr|Prof|St)\.(?=\s)|{WORD_PATTERN}|[^\w\s]"
)
_SHORT = {
    "i'm": "I am", "im": "I am", "i've": "I have", "ive": "I have", "i'll": "I will",
    "we're": "we are", "we've": "we have", "we'll": "we will", "he's": "he is", "she's": "she is",
    "it's": "it is", "that's": "that is", "there's": "there is", "what's": "what is",
    "where's": "where is", "who's": "who is", "how's": "how is", "let's": "let us",
    "you're": "you are", "they're": "they are", "he'll": "he will", "she'll": "she will",
    "i'd": "I would", "we'd": "we would", "he'd": "he would", "she'd": "she would",
}  # fmt: skip
_APOSTROPHES_LEFT_OUT = {
    "dont": "don't", "doesnt": "doesn't", "didnt": "didn't", "cant": "can't", "isnt": "isn't",
    "wasnt": "wasn't", "havent": "haven't", "wont": "won't",
}  # fmt: skip
_SUBJECTS = PRONOUNS - {"it", "you"}
_OTHER_SUBJECTS = word_set(
    "you it this that these those there nobody everyone everybody somebody someone people"
)
_OPEN_NOUN_PHRASE = word_set("my our his her their your the a an neither both no every each")
_COORDINATORS = frozenset({"and", "but", ";"})
_NO_VERBS = DETERMINERS | PREPOSITIONS | PRONOUNS
_NO_SUBJECT = PREPOSITIONS | CONDITIONAL | PRONOUNS
_AFTER_VERBS = DETERMINERS | PREPOSITIONS
_NO_STATES = DETERMINERS | PREPOSITIONS | NOT_NAMES | VERBS
_FINITE = word_set("am was have has had is can will do")
_BEFORE_PARTICIPLES = word_set("have has was am")
_TIMES = word_set("yesterday today tomorrow tonight last next this these every most some now two")
_FRONTED = PREPOSITIONS | _TIMES
_JOINING = frozenset({"and", "but", ",", ";", "so", "\u2013", "\u2014"})
_AFTER_JOINING = _JOINING | {"then", "now", "also", "still", "therefore", "not"}
_MOST_SUBJECT_WORDS = 7
_MOST_FRONTED_WORDS = 6


def tokenize(sentence: str) -> list[Token]:
    """The tokens of a sentence; short forms such as `I'm` as the two words that they are."""
    tokens: list[Token] = []
    previous = 0
    for match in _TOKEN.finditer(sentence):
        text = match.group()
        lower = normalized(text).lower()
        token = Token(text, lower, match.start(), match.end(), match.start() > previous)
        previous = match.end()
        if lower in _SHORT:
            first, second = _SHORT[lower].split()
            tokens.append(replace(token, text=_cased(first, text), lower=first.lower()))
            token = replace(token, text=second, lower=second, spaced=True)
        elif lower in _APOSTROPHES_LEFT_OUT:
            full = _APOSTROPHES_LEFT_OUT[lower]
            token = replace(token, text=_cased(full, text), lower=full)
        tokens.append(token)
    return tokens


def joined(tokens: Sequence[Token]) -> str:
    """The text of tokens, spaced as they were."""
    return "".join(f" {t.text}" if t.spaced else t.text for t in tokens).strip()


def is_verb(tokens: Sequence[Token], place: int) -> bool:
    """Whether a verb, or an adverb before one, follows the subject that ends at this place."""
    while place < len(tokens) and tokens[place].lower in ADVERBS:
        place += 1
    if place >= len(tokens):
        return False
    word = tokens[place].lower
    if word in AUXILIARIES or word in MODALS or word in NEGATED or word == "nor":
        return True
    if tokens[place].is_name or not word[0].isalpha() or word in _NO_VERBS:
        return False
    before = tokens[place - 1].lower
    if is_past(word):
        return before not in DETERMINERS
    if word in VERBS:
        return before.endswith("s") and not before.endswith("'s")
    return word in _THIRD_PERSON or (
        word.endswith("s") and tokens[place - 1].is_name and not word.endswith(("'s", "ss"))
    )


_THIRD_PERSON = frozenset(map(third_person, VERBS)) | word_set(
    "says thinks believes claims knows wants asks tells dreams wishes hopes insists keeps doubts"
)


def subject_end(tokens: Sequence[Token], place: int) -> int | None:
    """Where the subject ends that begins here with a verb after it; None if there is none."""
    first = tokens[place].lower if place < len(tokens) else ""
    is_subject = False
    if first in _SUBJECTS:
        is_subject = place + 1 < len(tokens) and tokens[place + 1].is_word
    elif first in _OTHER_SUBJECTS:
        is_subject = is_verb(tokens, place + 1)
    elif first in _OPEN_NOUN_PHRASE:
        return _noun_phrase_end(tokens, place, place + 2)
    elif first and tokens[place].is_name:
        return _noun_phrase_end(tokens, place, place + 1)
    return place + 1 if is_subject else None


def _noun_phrase_end(tokens: Sequence[Token], start: int, end: int) -> int | None:
    while end <= min(start + _MOST_SUBJECT_WORDS, len(tokens) - 1):
        if _is_and_i(tokens, end):
            return end + 2
        if is_verb(tokens, end):
            return end
        if tokens[end].text == ",":
            return _after_apposition(tokens, end)
        if not tokens[end].is_word or tokens[end].lower in _NO_SUBJECT:
            return None
        end += 1
    return None


def split(tokens: Sequence[Token]) -> Iterator[Clause]:
    """The clauses of a sentence in their order."""
    start = place = 0
    subject: tuple[Token, ...] = ()
    is_whole = True
    joined_by = ""
    while place <= len(tokens):
        cut = _cut(tokens, start, place, subject) if place < len(tokens) else None
        if place == len(tokens) or cut:
            own = tokens[start:place]
            if own:
                whole = (*subject, *own) if not is_whole else tuple(own)
                yield Clause(whole, own[0].start, own[-1].end, is_whole, joined_by)
            if cut is None:
                return
            shared, start, joined_by = cut.shared, cut.start, tokens[place].lower
            is_whole, subject = not shared, shared
            place = start
        place += 1


@dataclass(frozen=True, slots=True)
class _Cut:
    """Where the next clause begins, and the words that it shares with the one before."""

    start: int
    shared: tuple[Token, ...] = ()


def _cut(
    tokens: Sequence[Token], start: int, place: int, subject: tuple[Token, ...]
) -> _Cut | None:
    """The clause that begins after this place, if the words before it are a whole one."""
    if tokens[place].lower not in _JOINING or place == start:
        return None
    left = (*subject, *tokens[start:place])
    owner = main_subject(left)
    following = place + 1
    while following < len(tokens) and tokens[following].lower in _AFTER_JOINING:
        following += 1
    if owner is None or following >= len(tokens):
        return None
    if subject_end(tokens, following) is not None or _has_fronted_subject(tokens, following):
        return _Cut(following)
    # A comma joins predicates only in a list of states: `I am vegan, lactose intolerant and deaf`.
    may_share = tokens[place].lower in _COORDINATORS or tokens[following].lower in STATES
    shared = _shared(left, owner, tokens[following:]) if may_share else ()
    return _Cut(following, shared) if shared else None


def main_subject(tokens: Sequence[Token]) -> tuple[int, int] | None:
    """Where the subject of the main clause begins and ends; None if there is none.

    A clause may begin with when or where: `In summer I live in Faro`. If a clause of its own is in
    front, the main clause begins after its comma.
    """
    if not tokens:
        return None
    end = subject_end(tokens, 0)
    if end is not None:
        return 0, end
    first = tokens[0].lower
    is_clause = first in REASON_OR_TIME
    if not is_clause and first not in _FRONTED and first not in ADVERBS:
        return None
    for place in range(1, min(len(tokens), 12 if is_clause else _MOST_FRONTED_WORDS + 1)):
        if is_clause and tokens[place - 1].text != ",":
            continue
        end = subject_end(tokens, place)
        if end is not None:
            return place, end
    return None


def _has_fronted_subject(tokens: Sequence[Token], place: int) -> bool:
    """Whether a clause such as `on weekends I hike` begins here."""
    if tokens[place].lower not in _FRONTED:
        return False
    near = tokens[place + 1 : place + _MOST_FRONTED_WORDS]
    words = [token.lower for token in near]
    return "i" in words and "and" not in words[: words.index("i")]


def _shared(
    left: Sequence[Token], subject: tuple[int, int], right: Sequence[Token]
) -> tuple[Token, ...]:
    """The subject, and the verb where it is shared too, if the words go on with the left clause."""
    begin, end = subject
    owner = tuple(left[begin:end])
    verb = next((p for p in range(end, len(left)) if left[p].lower not in ADVERBS), None)
    if verb is None:
        return ()
    skipped = next((p for p, token in enumerate(right) if token.lower not in ADVERBS), None)
    if skipped is None:
        return ()
    word, rest = right[skipped].lower, left[verb + 1 :]
    if left[verb].lower in {"am", "is", "are", "was", "were"} and _is_state(rest, right[skipped:]):
        return (*owner, left[verb])
    same = _is_same_form(left[verb].lower, word, right[skipped + 1 : skipped + 2], rest, owner)
    return owner if same else ()


def _is_same_form(
    verb: str,
    word: str,
    following: Sequence[Token],
    rest: Sequence[Token],
    owner: Sequence[Token],
) -> bool:
    """Whether the word is a verb in the form of the clause's own: `I work and play`."""
    if word in NEGATED or word in _FINITE:
        return bool(following)
    if is_past(word):
        return is_past(verb) or verb in _BEFORE_PARTICIPLES
    has_infinitive = any(t.lower == "to" and _is_base(rest, p + 1) for p, t in enumerate(rest))
    if has_infinitive or verb in MODALS or verb in {"will", "do", "did"} or not following:
        return False
    if owner[-1].lower not in {"i", "we", "they"}:
        return word in _THIRD_PERSON
    shows_a_verb = following[0].lower in _AFTER_VERBS or following[0].is_name
    is_base = word in VERBS and not is_past(verb)
    return is_base and (shows_a_verb or word not in MAYBE_NOUNS)


def _is_base(tokens: Sequence[Token], place: int) -> bool:
    return place < len(tokens) and tokens[place].lower in VERBS


def _is_state(complement: Sequence[Token], right: Sequence[Token]) -> bool:
    """Whether both are predicates of one `be`: `vegan` and `allergic to peanuts`."""
    if not complement:
        return False
    word = right[0]
    if word.lower in STATES:
        return True
    if complement[0].lower in {"a", "an"}:
        return word.lower in {"a", "an"}
    has_preposition = any(token.lower in PREPOSITIONS for token in complement)
    is_plain = word.lower not in _NO_STATES and not is_past(word.lower) and not word.is_name
    is_single = len(complement) == 1 and complement[0].text[0].isalpha()
    return is_plain and not has_preposition and is_single


def _is_and_i(tokens: Sequence[Token], place: int) -> bool:
    words = [token.lower for token in tokens[place : place + 2]]
    return words in (["and", "i"], ["nor", "i"])


def _after_apposition(tokens: Sequence[Token], place: int) -> int | None:
    """Where `, Ms Kaur,` after a noun ends, if a verb follows."""
    for end in range(place + 2, min(place + 7, len(tokens) - 1)):
        if tokens[end].text == ",":
            return end + 1 if is_verb(tokens, end + 1) else None
    return None


def _cased(text: str, model: str) -> str:
    return text if text[0].isupper() or model[0].islower() else text[0].upper() + text[1:]
