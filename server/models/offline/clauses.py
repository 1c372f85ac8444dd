"""Splits a sentence into clauses, and reads the subject and the verb of each.

`I moved to Lisbon and I work at Acme` has two clauses, and so has `I am vegetarian and lactose
intolerant`, in which the second clause shares the subject and verb of the first. Only asserted
clauses are read: no conditions, no words such as `maybe`, and nothing that depends on another
subject, as in `Tom says that I moved`. When in doubt, a clause asserts nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from server.memories.add.evidence import HEDGES
from server.models.offline import lexicon
from server.models.offline.lexicon import is_past, listed, word_set
from server.models.offline.tokens import JOINING, Token, after_adverbs, lowered, may_be_verb
from server.models.offline.verbs import Sense, read_verb


@dataclass(frozen=True, slots=True)
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

    @property
    def subject(self) -> tuple[Token, ...]:
        """The words of the subject."""
        return self.tokens[self.begin : self.end]

    @property
    def rest(self) -> tuple[Token, ...]:
        """The words after the verb."""
        return self.tokens[self.after :]

    @property
    def is_former(self) -> bool:
        """Whether it states what its subject was: `my boss was Tom`, not `I was hired`."""
        first = self.rest[0].lower if self.rest else ""
        was = self.stem == "be" and Sense.PAST in self.sense and Sense.PERFECT not in self.sense
        return was and first != "born" and not is_past(first)

    @property
    def phrase(self) -> str:
        """The stem of the verb and the words after it, in lower case."""
        return " ".join([self.stem, *lowered(self.rest)])


_CLEAR_SUBJECTS = word_set("i we he she they")
_OTHER_SUBJECTS = word_set(
    "you it this that these those there nobody everyone everybody somebody someone people"
)
_OPENING = word_set("my our his her their your the a an neither both no every each")
_ASSERTING = _CLEAR_SUBJECTS | word_set("my our his her the neither both me")
_BEGINS_PHRASE = lexicon.DETERMINERS | lexicon.PREPOSITIONS
_NO_VERBS = _BEGINS_PHRASE | lexicon.PRONOUNS
_NO_SUBJECT = lexicon.PREPOSITIONS | HEDGES | lexicon.PRONOUNS
_FRONTED = lexicon.PREPOSITIONS | lexicon.TIMES
_AFTER_JOINING = JOINING | word_set("then now also still not")
_OWNERS, _WITHIN_SUBJECT = word_set("my our the"), word_set("of to with from in at for")
_MAYBE_NOUNS = listed("maybe_nouns")
_MOST_SUBJECT_WORDS, _MOST_FRONTED_WORDS, _MOST_SUBORDINATE_WORDS = 7, 6, 12


def read_clauses(tokens: Sequence[Token]) -> Iterator[Clause]:
    """Yields the asserted clauses of a sentence.

    After a clause that is not asserted only a whole clause after `but` or `;` is.
    """
    is_open = True
    for words, joint, is_whole in _split(tokens):
        if not is_open and not (joint in {"but", ";"} and is_whole):
            continue
        clause = _read(words)
        # `That's wrong` and `I don't` state nothing by themselves, and do not affect other clauses.
        first, last = words[0].lower, words[-1].lower
        is_reply = first in _OTHER_SUBJECTS or last in lexicon.AUXILIARIES or last in lexicon.NEGATED
        is_open = clause is not None or is_reply
        if clause is not None:
            yield clause


# --- subjects -------------------------------------------------------------------------------------


def _is_verb(tokens: Sequence[Token], place: int, *, is_plural: bool = False) -> bool:
    """Whether a verb, or an adverb and a verb, follows a subject that ends at this place."""
    before = tokens[place - 1]
    place = after_adverbs(tokens, place)
    token = tokens[place] if place < len(tokens) else None
    if token is None or token.is_name or token.lower in _NO_VERBS:
        return False
    word = token.lower
    if word in lexicon.AUXILIARIES or word in lexicon.NEGATED or word in lexicon.MODALS:
        return not (token.text.istitle() and before.lower in _FRONTED)  # As in `in May`.
    if is_past(word):
        return before.lower not in lexicon.DETERMINERS
    if before.lower.endswith("'s"):
        return is_plural and word in lexicon.VERBS  # Not in `Ana's parents`.
    if word in lexicon.VERBS:
        return is_plural or (before.lower.endswith("s") and before.lower != "his")
    is_like_one = before.is_name and word.endswith("s") and not word.endswith(("'s", "ss"))
    return may_be_verb(word) or is_like_one


def _subject_end(tokens: Sequence[Token], place: int) -> int | None:
    """Returns the end of the subject that begins here before a verb; None if there is none."""
    if place + 1 >= len(tokens):
        return None
    first = tokens[place].lower
    if first in _CLEAR_SUBJECTS:
        return place + 1 if tokens[place + 1].is_word else None
    if first in _OTHER_SUBJECTS:
        return place + 1 if _is_verb(tokens, place + 1) else None
    if first in _OPENING or first == "me":
        return _noun_phrase_end(tokens, place, place + 1 + (first != "me"))
    return _noun_phrase_end(tokens, place, place + 1) if tokens[place].is_name else None


def _noun_phrase_end(tokens: Sequence[Token], start: int, end: int) -> int | None:
    has_owner = tokens[start].lower in _OWNERS or tokens[start].lower.endswith("'s")
    while end <= min(start + _MOST_SUBJECT_WORDS, len(tokens) - 1):
        if lowered(tokens[end : end + 2]) in (["and", "i"], ["nor", "i"]):
            return end + 2
        if tokens[start].lower in {"a", "an"} and tokens[end].lower in {"called", "named"}:
            return None  # `a cat called Pia` is what somebody has, and calls nobody.
        is_plural = any(token.lower == "and" for token in tokens[start + 1 : end - 1])
        if _is_verb(tokens, end, is_plural=is_plural):
            return end
        if tokens[end].text == ",":
            return _after_apposition(tokens, end)
        is_within = has_owner and tokens[end].lower in _WITHIN_SUBJECT
        if not tokens[end].is_word or (tokens[end].lower in _NO_SUBJECT and not is_within):
            return None
        end += 1
    return None


def _after_apposition(tokens: Sequence[Token], place: int) -> int | None:
    """Returns the end of an apposition such as `, Ms Kaur,` before a verb."""
    for end in range(place + 2, min(place + 7, len(tokens) - 1)):
        if tokens[end].text == ",":
            return end + 1 if _is_verb(tokens, end + 1) else None
    return None


def _main_subject(tokens: Sequence[Token]) -> tuple[int, int] | None:
    """Returns the start and end of the main clause's subject; None if there is none.

    A clause may begin with a time or place: `In summer I live in Faro`. After a subordinate clause
    or a participle (`Living in Bern, I ...`) the main clause begins at its comma.
    """
    for place in _beginnings(tokens):
        if (end := _subject_end(tokens, place)) is not None:
            return place, end
    return None


def _beginnings(tokens: Sequence[Token]) -> Iterator[int]:
    """Yields the places where the main clause may begin."""
    first = tokens[0].lower if tokens else ""
    yield 0
    if first in lexicon.ADVERBS:
        place = after_adverbs(tokens, 0)
        yield place + (place < len(tokens) and tokens[place].text == ",")
    elif lexicon.is_gerund(first) or first in lexicon.CONJUNCTIONS - lexicon.PREPOSITIONS:
        most = min(len(tokens), _MOST_SUBORDINATE_WORDS)
        yield from (place for place in range(1, most) if tokens[place - 1].text == ",")
    elif first in _FRONTED:
        yield from range(1, min(len(tokens), _MOST_FRONTED_WORDS + 1))


# --- splitting ------------------------------------------------------------------------------------


def _split(tokens: Sequence[Token]) -> Iterator[tuple[tuple[Token, ...], str, bool]]:
    """Yields the words of each clause, what joins it to the last, and whether it shares nothing."""
    start = place = 0
    shared: tuple[Token, ...] = ()
    joint = ""
    while place < len(tokens):
        left = (*shared, *tokens[start:place])
        is_joint = place > start and tokens[place].lower in JOINING
        cut = _next_clause(tokens, place, left) if is_joint else None
        if cut is not None:
            yield left, joint, not shared
            joint = tokens[place].lower
            place, shared = cut
            start = place
        place += 1
    if start < len(tokens):
        yield (*shared, *tokens[start:]), joint, not shared


def _next_clause(
    tokens: Sequence[Token], place: int, left: Sequence[Token]
) -> tuple[int, tuple[Token, ...]] | None:
    """Returns where the next clause begins, and the words that it shares with the left clause."""
    following = place + 1
    while following < len(tokens) and tokens[following].lower in _AFTER_JOINING:
        following += 1
    subject = _main_subject(left)
    is_value = tokens[place].text == ":" and left[0].lower not in {"that", "this", "it"}
    if subject is None or following >= len(tokens) or is_value:
        return None
    # A clause with `now` is news, but `now it is 5` is a value.
    is_now = tokens[following - 1].lower == "now" and tokens[following].lower != "it"
    begin = following - is_now
    if _subject_end(tokens, following) is not None or _begins_with_time(tokens[following:]):
        return begin, ()
    # A comma alone joins clauses only before clear verbs: `I sold my car, bought a bike`.
    is_shared = tokens[place].text != "," or is_past(tokens[following].lower)
    shared = _shared(left, subject, tokens[following:]) if is_shared else ()
    return (begin, shared) if shared else None


def _begins_with_time(tokens: Sequence[Token]) -> bool:
    """Whether a clause begins with a time before its subject: `on Sundays I sing`."""
    first, *rest = lowered(tokens[: _MOST_FRONTED_WORDS + 1])
    when = [word for word in rest[:2] if word != "the"][:1]
    is_time = first in lexicon.TIMES or (
        first in {"on", "at", "in", "every"} and any(map(lexicon.is_period, when))
    )
    return is_time and not _CLEAR_SUBJECTS.isdisjoint(rest)


def _shared(
    left: Sequence[Token], subject: tuple[int, int], right: Sequence[Token]
) -> tuple[Token, ...]:
    """Returns the shared subject, and the verb if it is shared too; empty if nothing is shared."""
    owner = tuple(left[slice(*subject)])
    verb, skipped = after_adverbs(left, subject[1]), after_adverbs(right, 0)
    if verb >= len(left) or skipped >= len(right):
        return ()
    if _is_same_form(left[verb:], right[skipped:], owner):
        return owner
    is_somebody = owner[-1].lower in lexicon.PRONOUNS or owner[-1].is_name
    is_being = left[verb].lower in {"am", "is", "are", "was", "were"} and is_somebody
    is_state = len(left) == verb + 2 and right[0].is_word and not right[0].is_name
    is_state &= right[0].lower not in _BEGINS_PHRASE
    return (*owner, left[verb]) if is_being and is_state else ()


def _is_same_form(left: Sequence[Token], right: Sequence[Token], owner: Sequence[Token]) -> bool:
    """Whether the right words begin with a verb in the same form as the left: `work and play`."""
    verb, word = left[0].lower, right[0].lower
    if word in {"am", "was", "have", "has", "had", "is", "can", "will", "do", *lexicon.NEGATED}:
        return len(right) > 1
    if is_past(word):
        return is_past(verb) or (verb in {"have", "has", "was", "am"} and len(right) > 1)
    is_plural = owner[-1].lower in {"i", "we", "they"}
    is_bare = is_plural and len(left) == 1 and not right[0].is_name
    if is_bare and word not in _BEGINS_PHRASE and lowered(right[1:2]) != [","]:
        return True  # `I swim and row.`
    is_infinitive = any(a == "to" and b in lexicon.VERBS for a, b in pairwise(lowered(left)))
    is_helped = verb in lexicon.MODALS or verb in {"will", "do", "did"}
    if is_helped or is_infinitive or len(right) == 1:
        return False
    if not is_plural:
        return word in lexicon.THIRD_PERSONS
    shows_a_verb = right[1].is_name or right[1].lower in _BEGINS_PHRASE
    return word in lexicon.VERBS and (shows_a_verb or word not in _MAYBE_NOUNS)


def _read(words: Sequence[Token]) -> Clause | None:
    """Returns the clause in these words; None if they assert nothing, or it is uncertain."""
    tokens = _trimmed(words)
    begin, end = _main_subject(tokens) or (0, 0)
    if not end or not HEDGES.isdisjoint(lowered(tokens)):
        return None
    first, last = tokens[begin], tokens[end - 1].lower
    is_told = first.lower in _ASSERTING or first.is_name or last == "i"
    read = read_verb(tokens, end) if is_told else None
    if read is None:
        return None
    verb, after, stem, sense = read
    is_unreal = Sense.UNREAL in sense or stem == "wish"
    if is_unreal or _depends_on_another(tokens[after:], is_had=stem in {"have", "get"}):
        return None
    return Clause(tuple(tokens), begin, end, verb, after, stem, sense)


def _trimmed(tokens: Sequence[Token]) -> Sequence[Token]:
    """Returns the tokens without punctuation and conjunctions at both ends."""
    begin, end = 0, len(tokens)
    while begin < end and not tokens[begin].is_word:
        begin += 1
    while end > begin and (
        tokens[end - 1].lower in {"and", "but", "or"}
        or not (tokens[end - 1].is_word or tokens[end - 1].text in ")%\u20ac$")
    ):
        end -= 1
    return tokens[begin:end]


def _depends_on_another(rest: Sequence[Token], *, is_had: bool) -> bool:
    """Whether a clause with another subject follows, which the speaker does not assert."""
    words = lowered(rest)
    for place, word in enumerate(words):
        if place and words[place - 1] in lexicon.CONJUNCTIONS:
            continue
        if word in _CLEAR_SUBJECTS:
            return True
        begin = place + (word == "that")
        may_begin = (place == 0 and not is_had) or word in {"you", "it", "that"}
        if may_begin and _subject_end(rest, begin) is not None:
            return True
    return False
