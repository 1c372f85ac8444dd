"""Splits a sentence into clauses, and reads the subject and the verb of each.

`I moved to Lisbon and I work at Acme` has two clauses, and so has `I am vegetarian and lactose
intolerant`, in which the second clause shares the subject and verb of the first. Only asserted
clauses are read: no conditions, no words such as `maybe`, and nothing that depends on another
subject, as in `Tom says that I moved`. When in doubt, a clause asserts nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Flag, auto
from itertools import pairwise

from server.memories.add.evidence import HEDGES
from server.models.offline import lexicon
from server.models.offline.lexicon import is_past, listed, stems, verb_stem, word_set
from server.models.offline.tokens import JOINING, Token, after_adverbs, joined, lowered, may_be_verb


class Sense(Flag):
    """How a clause is meant."""

    PLAIN = 0
    DENIED = auto()
    OVER = auto()
    """It no longer holds: `no longer`, `any more`, `used to`, `stopped`."""

    PAST = auto()
    PERFECT = auto()
    PROGRESSIVE = auto()
    PLANNED = auto()
    ABILITY = auto()
    LIMITED = auto()
    """It holds only on some occasions, or for one thing among others: `sometimes`, `also`."""

    RETRACTED = DENIED | OVER


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
        is_plural = any(token.lower == "and" for token in tokens[start + 1 : end - 1])
        if _is_verb(tokens, end, is_plural=is_plural):
            return end
        if tokens[end].text == ",":
            return _after_apposition(tokens, end)
        is_within = has_owner and tokens[end].lower in _WITHIN_SUBJECT
        if not tokens[end].is_word or (tokens[end].lower in _NO_SUBJECT and not is_within):
            return None
        if tokens[start].lower in {"a", "an"} and tokens[end].lower in {"called", "named"}:
            return None  # `a cat called Pia` is what somebody has, and calls nobody.
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


# --- verbs ----------------------------------------------------------------------------------------

_BE, _HAVE = word_set("am is are was were be been"), word_set("have has had")
_DO, _WILL = word_set("do does did"), word_set("would rather like love prefer")
_LIMITING = listed("limiting")
_PARTLY = _LIMITING | word_set("always just only very")
_STARTING, _STOPPING = stems("start begin"), stems(listed("giving_up"))
_COMPLETING = stems("finish complete")
_UNDER_WAY = listed("under_way")
_ACTIVITIES = listed("activities")
_ANY_MORE = {("any", "more"), ("any", "longer"), ("no", "more"), ("no", "longer")}


def _read(words: Sequence[Token]) -> Clause | None:
    """Returns the clause in these words; None if they assert nothing, or it is uncertain."""
    tokens = _trimmed(words)
    found = _main_subject(tokens)
    if found is None or not HEDGES.isdisjoint(lowered(tokens)):
        return None
    begin, end = found
    first = tokens[begin]
    is_told = first.lower in _ASSERTING or first.is_name or tokens[end - 1].lower == "i"
    read = _read_verb(tokens, begin, end) if is_told else None
    if read is None:
        return None
    verb, sense = read
    word = tokens[verb].lower
    stem = verb_stem(lexicon.NEGATED.get(word, word))
    after = after_adverbs(tokens, verb + 1) if stem == "be" else verb + 1
    rest = lowered(tokens[after:])
    if word == "got" and Sense.PERFECT in sense and rest and rest[0] in lexicon.DETERMINERS:
        stem = "have"
    if rest[:1] == ["no"] and stem in lexicon.POSSESSING:
        sense |= Sense.DENIED
    if ("no", "longer") in pairwise(rest):
        sense |= Sense.DENIED
    if "anymore" in rest or not _ANY_MORE.isdisjoint(pairwise(rest)):
        sense |= Sense.OVER
    if Sense.DENIED in sense and Sense.PERFECT in sense and {"for", "since"} & {*rest}:
        sense |= Sense.OVER  # `I haven't smoked for a year.`
    if stem == "wish" or _depends_on_another(
        tokens[after:], may_begin_at_once=stem not in {"have", "get"}
    ):
        return None
    return Clause(tuple(tokens), begin, end, verb, after, stem, sense)


def _read_verb(tokens: Sequence[Token], begin: int, place: int) -> tuple[int, Sense] | None:
    """Returns the place of the main verb after the subject, and what the words before it mean."""
    sense, end = Sense.PLAIN, place
    while place < len(tokens):
        helping = _helping(tokens, place, sense)
        if helping is None:
            break
        length, meaning = helping
        if length == 0:
            return None
        sense |= meaning
        place += length
    if place >= len(tokens) or not tokens[place].is_word:
        return None
    if tokens[place].text.endswith("ing") and place > end:
        subject = lowered(tokens[begin:end])
        if tokens[place - 1].lower in _BE and not _ACTIVITIES.isdisjoint(subject):
            place -= 1  # `My hobby is climbing.`
            sense &= ~Sense.PROGRESSIVE
    word = tokens[place].lower
    base = lexicon.NEGATED.get(word, word)
    if word != base:
        sense |= Sense.DENIED
    if is_past(base) or base in {"was", "were"}:
        sense |= Sense.PAST
    if base in _BE and (skipped := after_adverbs(tokens, place + 1)) > place + 1:
        for at in range(place + 1, skipped):
            sense |= _adverb(lowered(tokens[at : at + 2]), sense)
    return place, sense


def _helping(tokens: Sequence[Token], place: int, sense: Sense) -> tuple[int, Sense] | None:
    """Returns the length and meaning of adverbs and auxiliaries here; None at the main verb.

    The length is 0 if they show that the clause asserts nothing, as `would` does.
    """
    word = tokens[place].lower
    after = after_adverbs(tokens, place + 1)
    following, later = [*lowered(tokens[after : after + 2]), "", ""][:2]
    if word in lexicon.ADVERBS:
        return 1, _adverb([word, *lowered(tokens[place + 1 : place + 2])], sense)
    base = lexicon.NEGATED.get(word, word)
    meaning = Sense.DENIED if word != base else Sense.PLAIN
    if base in lexicon.MODALS or base == "will":
        if base not in {"can", "will"} and following not in _WILL:
            return 0, meaning
        return 1, meaning | (Sense.ABILITY if base == "can" else Sense.PLANNED)
    if base in _BE and following.endswith("ing") and not tokens[after].is_name:
        meaning |= Sense.PROGRESSIVE
        if following in _UNDER_WAY:
            meaning |= Sense.PLANNED
        return 1, meaning | (Sense.PAST if base in {"was", "were"} else Sense.PLAIN)
    if base in _HAVE and (is_past(following) or following in {"been", "become", "come"}):
        return 1, meaning | (Sense.PAST if base == "had" else Sense.PERFECT)
    if base in _DO and (word != base or following in lexicon.VERBS):
        return 1, meaning | (Sense.PAST if base == "did" else Sense.PLAIN)
    stem = verb_stem(word)
    if following == "to" and later and word in {"used", "had", "decided", "learned", "learnt"}:
        kinds = {"used": Sense.OVER | Sense.PAST, "had": Sense.PAST, "decided": Sense.PLANNED}
        if "not" in lowered(tokens[place:after]):
            meaning |= Sense.DENIED
        if Sense.DENIED in sense:
            return after + 1 - place, meaning  # `I didn't use to like it.`
        return after + 1 - place, meaning | kinds.get(word, Sense.ABILITY)
    if following == "to" and stem in {"come", "grow"} and verb_stem(later) in lexicon.TASTES:
        return 2, Sense.PLAIN
    is_phrasal = following == "up" and stem == "give" and later.endswith("ing")
    if is_phrasal or (stem in _STARTING | _STOPPING and following.endswith("ing")):
        return 1 + is_phrasal, _stopping(stem, sense)
    return None


def _stopping(stem: str, sense: Sense) -> Sense:
    """Returns what a verb such as `stopped` before one in -ing means; who did not stop goes on."""
    if stem in _STARTING or Sense.DENIED in sense:
        return Sense.PLAIN
    return Sense.OVER if stem in _COMPLETING else Sense.OVER | Sense.DENIED


def _adverb(words: Sequence[str], sense: Sense) -> Sense:
    """Returns the meaning of an adverb, by it and the next word."""
    if words == ["no", "longer"]:
        return Sense.RETRACTED
    if words[0] in {"not", "never"}:
        return Sense.DENIED
    partly = _PARTLY if Sense.DENIED in sense else _LIMITING
    return Sense.LIMITED if words[0] in partly else Sense.PLAIN


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


def _depends_on_another(rest: Sequence[Token], *, may_begin_at_once: bool) -> bool:
    """Whether a clause with another subject follows, which the speaker does not assert."""
    words = lowered(rest)
    for place, word in enumerate(words):
        if place and words[place - 1] in lexicon.CONJUNCTIONS:
            continue
        if word in _CLEAR_SUBJECTS:
            return True
        begin = place + (word == "that")
        may_begin = (place == 0 and may_begin_at_once) or word in {"you", "it", "that"}
        if may_begin and _subject_end(rest, begin) is not None:
            return True
    return False
