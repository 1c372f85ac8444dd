"""Splits a sentence into clauses, and reads the subject and the verb of each.

`I moved to Lisbon and I work at Acme` has two clauses, and so has `I ski and play golf`, in which
they share a subject. Only asserted clauses are read: no conditions, no words such as `maybe`, and
nothing that depends on another subject, as in `Tom says that I moved`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from server.memories.add.evidence import HEDGES
from server.models.offline import lexicon
from server.models.offline.lexicon import is_past, listed, word_set
from server.models.offline.tokens import JOINING, Token, after_adverbs, lowered
from server.models.offline.verbs import Sense, read_verb


@dataclass(frozen=True)
class Clause:
    """An asserted clause: its subject is `tokens[begin:end]`, its verb `tokens[verb]`.

    `stem` is the stem of the verb, and `after` the place of what follows it and its adverbs.
    """

    tokens: tuple[Token, ...]
    begin: int
    end: int
    verb: int
    after: int
    stem: str
    sense: Sense

    @cached_property
    def subject(self) -> tuple[Token, ...]:
        """The words of the subject."""
        return self.tokens[self.begin : self.end]

    @cached_property
    def rest(self) -> tuple[Token, ...]:
        """The words after the verb."""
        return self.tokens[self.after :]

    @cached_property
    def phrase(self) -> str:
        """The stem of the verb and the words after it, in lower case."""
        return " ".join([self.stem, *lowered(self.rest)])


_PERSONAL = word_set("i we he she they")
_OTHER_SUBJECTS = word_set("you it this that these those there nobody everyone someone people")
_OPENING = word_set("my our his her their your the a an neither both no every each me")
_TOLD = _PERSONAL | word_set("my our his her the neither both me")
_NO_VERBS = lexicon.DETERMINERS | lexicon.PREPOSITIONS | lexicon.PRONOUNS
_NO_SUBJECT = lexicon.PREPOSITIONS | HEDGES | lexicon.PRONOUNS
_FRONTED = lexicon.PREPOSITIONS | lexicon.TIMES
_AFTER_JOINING = JOINING | word_set("then now also still not")
_MAYBE_NOUNS, _LOOSE = listed("maybe_nouns"), word_set("and but or")
_MOST_SUBJECT_WORDS, _MOST_FRONTED_WORDS, _MOST_SUBORDINATE_WORDS = 7, 6, 12


def read_clauses(tokens: Sequence[Token]) -> Iterator[Clause]:
    """Yields the asserted clauses; after one that is not, only a whole one after `but` or `;`."""
    is_open = True
    for words, joint, is_whole in _split(tokens):
        if words and (is_open or (joint in {"but", ";"} and is_whole)):
            clause = _read(words)
            # `That's wrong` and `I don't` state nothing, and do not affect other clauses.
            is_short = words[-1].lower in lexicon.HELPING
            is_open = clause is not None or is_short or words[0].lower in _OTHER_SUBJECTS
            if clause is not None:
                yield clause


def _read(words: Sequence[Token]) -> Clause | None:
    kept = [
        p
        for p, t in enumerate(words)
        if t.text in ")%\u20ac" or (t.is_word and t.lower not in _LOOSE)
    ]
    tokens = words[kept[0] : kept[-1] + 1] if kept else words
    begin, end = _main_subject(tokens) or (0, 0)
    if not end or not HEDGES.isdisjoint(lowered(tokens)):
        return None
    is_told = tokens[begin].lower in _TOLD or tokens[begin].is_name or tokens[end - 1].lower == "i"
    read = read_verb(tokens, end) if is_told else None
    if read is None:
        return None
    verb, after, stem, sense = read
    is_unreal = Sense.UNREAL in sense or stem == "wish"
    if is_unreal or _depends_on_another(tokens[after:], is_had=stem in {"have", "get"}):
        return None
    return Clause(tuple(tokens), begin, end, verb, after, stem, sense)


def _depends_on_another(rest: Sequence[Token], *, is_had: bool) -> bool:
    """Whether a clause with another subject follows, which the speaker does not assert."""
    for place, token in enumerate(rest):
        may_begin = (place == 0 and not is_had) or token.lower in {"you", "it", "that"}
        begins = may_begin and _subject_end(rest, place + (token.lower == "that")) is not None
        is_joined = place and rest[place - 1].lower in lexicon.CONJUNCTIONS
        if (begins or token.lower in _PERSONAL) and not is_joined:
            return True
    return False


# --- subjects -------------------------------------------------------------------------------------


def _main_subject(tokens: Sequence[Token]) -> tuple[int, int] | None:
    """Returns the start and end of the main clause's subject; None if there is none.

    A clause may begin with a time or place: `In summer I live in Faro`. After a subordinate clause
    or a participle (`Living in Bern, I ...`) the main clause begins at its comma.
    """
    first = tokens[0].lower if tokens else ""
    places = [0]
    if lexicon.is_gerund(first) or first in lexicon.CONJUNCTIONS - lexicon.PREPOSITIONS:
        commas = [place for place, token in enumerate(tokens, 1) if token.text == ","]
        places += [place for place in commas if place < _MOST_SUBORDINATE_WORDS]
    elif first in lexicon.ADVERBS:
        place = after_adverbs(tokens, 0)
        places.append(place + (lowered(tokens[place : place + 1]) == [","]))
    elif first in _FRONTED:
        places += range(1, min(len(tokens), _MOST_FRONTED_WORDS + 1))
    found = ((place, _subject_end(tokens, place)) for place in places)
    return next(((place, end) for place, end in found if end is not None), None)


def _subject_end(tokens: Sequence[Token], place: int) -> int | None:
    """Returns the end of the subject that begins here before a verb; None if there is none."""
    first = tokens[place].lower if place + 1 < len(tokens) else ""
    if first in _PERSONAL:
        return place + 1 if tokens[place + 1].is_word else None
    if not first or not (first in _OPENING or tokens[place].is_name):
        is_subject = first in _OTHER_SUBJECTS and _is_verb(tokens, place, place + 1)
        return place + 1 if is_subject else None
    is_owned, is_apposed = first in {"my", "our", "the"} or first.endswith("'s"), False
    for end in range(place + 1 + (first in _OPENING and first != "me"), len(tokens)):
        word = tokens[end].lower
        if [word, *lowered(tokens[end + 1 : end + 2])] in (["and", "i"], ["nor", "i"]):
            return end + 2
        if not is_apposed and _is_verb(tokens, place, end):
            return end
        is_within = is_owned and word in {"of", "to", "with", "from", "in", "at", "for"}
        is_stop = word in _NO_SUBJECT and not is_within
        if is_stop or end > place + _MOST_SUBJECT_WORDS or not (tokens[end].is_word or word == ","):
            return None
        is_apposed ^= word == ","  # `My boss, Ms Kaur, hates Mondays.`
    return None


def _is_verb(tokens: Sequence[Token], start: int, end: int) -> bool:
    """Whether a verb, or an adverb and a verb, follows a subject that ends here."""
    before, place = tokens[end - 1], after_adverbs(tokens, end)
    if place >= len(tokens) or tokens[place].text.istitle() or tokens[place].lower in _NO_VERBS:
        return False
    word = tokens[place].lower
    if word in lexicon.HELPING:
        return True
    if word in lexicon.VERBS:
        is_plural = before.lower.endswith("s") and not before.lower.endswith(("'s", "his"))
        return is_plural or "and" in lowered(tokens[start + 1 : end - 1])
    if is_past(word):
        is_name_told = tokens[start].lower in {"a", "an"} and word in {"called", "named"}
        return before.lower not in lexicon.DETERMINERS and not is_name_told
    is_like_one = before.is_name and word.endswith("s") and not word.endswith(("'s", "ss"))
    return (lexicon.is_finite(word) or is_like_one) and not before.lower.endswith("'s")


# --- splitting ------------------------------------------------------------------------------------


def _split(tokens: Sequence[Token]) -> Iterator[tuple[Sequence[Token], str, bool]]:
    """Yields the words of each clause, what joins it to the last, and whether it shares nothing."""
    start, shared, joint = 0, list[Token](), ""
    for place in range(1, len(tokens)):
        left = [*shared, *tokens[start:place]]
        following = place
        while following < len(tokens) and tokens[following].lower in _AFTER_JOINING:
            following += 1
        subject = _main_subject(left) if place > start and tokens[place].lower in JOINING else None
        if subject is None or following >= len(tokens):
            continue
        if tokens[place].text == ":" and left[0].lower not in {"that", "this", "it"}:
            continue  # A value follows.
        # A clause with `now` is news, but `now it is 5` is a value.
        is_now = tokens[following - 1].lower == "now" and tokens[following].lower != "it"
        # A time may come first: `since Monday I work at Acme`.
        is_dated = any(map(lexicon.is_quantity, lowered(tokens[following + 1 : following + 2])))
        is_whole = _subject_end(tokens, following + 2 * is_dated) is not None
        if is_whole or _shares_subject(left, subject, tokens[place].text, tokens[following:]):
            yield left, joint, not shared
            start, joint = following - is_now, tokens[place].lower
            shared = [] if is_whole else left[slice(*subject)]
    yield [*shared, *tokens[start:]], joint, not shared


def _shares_subject(
    left: Sequence[Token], subject: tuple[int, int], joint: str, right: Sequence[Token]
) -> bool:
    """Whether the right words begin with a verb in the same form as the left: `work and play`.

    A comma alone joins clauses only before clear verbs: `I sold my car, bought a bike`.
    """
    place, skipped = after_adverbs(left, subject[1]), after_adverbs(right, 0)
    if place >= len(left) or skipped + 1 >= len(right):
        return False
    verb, word, following = left[place].lower, right[skipped].lower, right[skipped + 1]
    if is_past(word):
        return is_past(verb) or verb in {"have", "has", "was", "am"}
    if joint == "," or word in lexicon.HELPING:
        return joint != ","
    if left[subject[1] - 1].lower not in {"i", "we", "they"}:
        return word in lexicon.THIRD_PERSONS
    if place + 1 == len(left):
        return not (following.text == "," or word in _NO_VERBS)  # `I run and lift weights.`
    is_infinitive = verb in lexicon.MODALS | {"will", "do", "did"} or "to" in lowered(left[place:])
    is_clear = following.is_name or following.lower in _NO_VERBS or word not in _MAYBE_NOUNS
    return word in lexicon.VERBS and is_clear and not is_infinitive
