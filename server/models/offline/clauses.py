"""Splits a sentence into clauses, each of which can become a memory.

`I moved to Lisbon and I work at Acme` has two clauses, and so has `I am vegetarian and lactose
intolerant`, in which the second clause shares the subject and verb of the first.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from server.memories.add.evidence import HEDGES
from server.models.offline import lexicon
from server.models.offline.lexicon import listed, word_set
from server.models.offline.phrases import is_period
from server.models.offline.sentences import Token, after_adverbs, lowered


@dataclass(frozen=True, slots=True)
class Clause:
    """The words of a clause with its subject, which it may share with the previous clause."""

    tokens: tuple[Token, ...]
    joined_by: str = ""
    is_whole: bool = True


_CLEAR_SUBJECTS = word_set("i we he she they")
_OTHER_SUBJECTS = word_set(
    "you it this that these those there nobody everyone everybody somebody someone people"
)
_OPEN_NOUN_PHRASE = word_set("my our his her their your the a an neither both no every each")
_HELPING = lexicon.AUXILIARIES | lexicon.MODALS | lexicon.NEGATED.keys()
_BEGINS_PHRASE = lexicon.DETERMINERS | lexicon.PREPOSITIONS
_NO_VERBS = _BEGINS_PHRASE | lexicon.PRONOUNS
_NO_SUBJECT = lexicon.PREPOSITIONS | HEDGES | lexicon.PRONOUNS
_OWNERS, _JOINING_NOUNS = word_set("my our the"), word_set("of to with from in at for")
_FINITE = word_set("am was have has had is can will do") | lexicon.NEGATED.keys()
_FRONTED = lexicon.PREPOSITIONS | lexicon.TIMES
JOINING = frozenset({"and", "but", ",", ";", ":", "so", "\u2013", "\u2014"})
_AFTER_JOINING = JOINING | {"then", "now", "also", "still", "not"}
_THIRD_PERSON = frozenset(map(lexicon.third_person, lexicon.VERBS))
_MAYBE_NOUNS = listed("maybe_nouns")
_ARTICLES, _DESCRIBING = word_set("a an"), word_set("in at near from called named")
_TIME_PREPOSITIONS = word_set("on at in every")
_MOST_SUBJECT_WORDS = 7
_MOST_FRONTED_WORDS = 6
_MOST_CLAUSE_WORDS = 12


def is_verb(tokens: Sequence[Token], place: int, *, is_plural: bool = False) -> bool:
    """Whether a verb, or an adverb and a verb, follows a subject that ends at this place."""
    before = tokens[place - 1]
    place = after_adverbs(tokens, place)
    token = tokens[place] if place < len(tokens) else None
    if token is None or token.lower in _HELPING:  # But `May` is no verb in `in May`.
        return token is not None and not (token.text.istitle() and before.lower in _FRONTED)
    word = token.lower
    if token.is_name or word in _NO_VERBS:
        return False
    if lexicon.is_past(word):
        return before.lower not in lexicon.DETERMINERS
    if before.lower.endswith("'s"):
        return is_plural and word in lexicon.VERBS  # Not in `Ana's parents`.
    if word in lexicon.VERBS:
        return is_plural or (before.lower.endswith("s") and before.lower != "his")
    is_like_one = before.is_name and word.endswith("s") and not word.endswith(("'s", "ss"))
    return word in _THIRD_PERSON or is_like_one


def subject_end(tokens: Sequence[Token], place: int) -> int | None:
    """Returns the end of the subject that begins here before a verb; None if there is none."""
    if place + 1 >= len(tokens):
        return None
    first = tokens[place].lower
    if first in _CLEAR_SUBJECTS:
        return place + 1 if tokens[place + 1].is_word else None
    if first in _OTHER_SUBJECTS:
        return place + 1 if is_verb(tokens, place + 1) else None
    if first in _OPEN_NOUN_PHRASE:
        return _noun_phrase_end(tokens, place, place + 2)
    return _noun_phrase_end(tokens, place, place + 1) if tokens[place].is_name else None


def _noun_phrase_end(tokens: Sequence[Token], start: int, end: int) -> int | None:
    is_indefinite = tokens[start].lower in _ARTICLES
    while end <= min(start + _MOST_SUBJECT_WORDS, len(tokens) - 1):
        if is_indefinite and tokens[end].lower in {"called", "named"}:
            return None  # `a cat called Pia` is what somebody has, and calls nobody.
        if lowered(tokens[end : end + 2]) in (["and", "i"], ["nor", "i"]):
            return end + 2
        is_plural = any(token.lower == "and" for token in tokens[start + 1 : end - 1])
        if is_verb(tokens, end, is_plural=is_plural):
            return end
        if tokens[end].text == ",":
            return _after_apposition(tokens, end)
        has_owner = tokens[start].lower in _OWNERS or tokens[start].lower.endswith("'s")
        is_within = has_owner and tokens[end].lower in _JOINING_NOUNS
        if not tokens[end].is_word or (tokens[end].lower in _NO_SUBJECT and not is_within):
            return None
        end += 1
    return None


def _after_apposition(tokens: Sequence[Token], place: int) -> int | None:
    """Returns the end of an apposition such as `, Ms Kaur,` before a verb."""
    for end in range(place + 2, min(place + 7, len(tokens) - 1)):
        if tokens[end].text == ",":
            return end + 1 if is_verb(tokens, end + 1) else None
    return None


def main_subject(tokens: Sequence[Token]) -> tuple[int, int] | None:
    """Returns the start and end of the main clause's subject; None if there is none.

    A clause may begin with a time or place: `In summer I live in Faro`. After a subordinate clause
    or a participle (`Living in Bern, I ...`) the main clause begins at its comma.
    """
    for place in _beginnings(tokens):
        if (end := subject_end(tokens, place)) is not None:
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
        most = min(len(tokens), _MOST_CLAUSE_WORDS)
        yield from (place for place in range(1, most) if tokens[place - 1].text == ",")
    elif first in _FRONTED:
        yield from range(1, min(len(tokens), _MOST_FRONTED_WORDS + 1))


def split(tokens: Sequence[Token]) -> Iterator[Clause]:
    """Yields the clauses of a sentence in order."""
    start = 0
    shared: tuple[Token, ...] = ()
    joined_by = ""
    place = 0
    while place < len(tokens):
        is_joining = place > start and tokens[place].lower in JOINING
        cut = _next_clause(tokens, place, (*shared, *tokens[start:place])) if is_joining else None
        if cut is not None:
            yield Clause((*shared, *tokens[start:place]), joined_by, not shared)
            joined_by = tokens[place].lower
            place, shared = cut
            start = place
        place += 1
    if start < len(tokens):
        yield Clause((*shared, *tokens[start:]), joined_by, not shared)


def _next_clause(
    tokens: Sequence[Token], place: int, left: Sequence[Token]
) -> tuple[int, tuple[Token, ...]] | None:
    """Returns where the next clause begins, and the words that it shares with the left clause."""
    owner = main_subject(left)
    following = place + 1
    while following < len(tokens) and tokens[following].lower in _AFTER_JOINING:
        following += 1
    if owner is None or following >= len(tokens):
        return None
    if tokens[place].text == ":" and left[0].lower not in {"that", "this", "it"}:
        return None
    # A clause with `now` is news, but `now it is 5` is a value.
    is_now = tokens[following - 1].lower == "now" and tokens[following].lower != "it"
    begin = following - is_now
    if subject_end(tokens, following) is not None or _is_timed(tokens[following:]):
        return begin, ()
    # A comma alone joins clauses only before clear verbs: `I sold my car, bought a bike`.
    is_shared = tokens[place].lower != "," or lexicon.is_past(tokens[following].lower)
    shared = _shared(left, owner, tokens[following:]) if is_shared else ()
    return (begin, shared) if shared else None


def _is_timed(tokens: Sequence[Token]) -> bool:
    """Whether a clause begins with a time before its subject: `on Sundays I sing`."""
    first, *rest = lowered(tokens[: _MOST_FRONTED_WORDS + 1])
    when = rest[1:2] if rest[:1] == ["the"] else rest[:1]
    is_time = first in lexicon.TIMES or (first in _TIME_PREPOSITIONS and any(map(is_period, when)))
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
    if lexicon.verb_stem(left[verb].lower) in lexicon.POSSESSING:
        article = next((p for p, token in enumerate(left) if token.lower in _ARTICLES), len(left))
        is_each = _is_described(left[article:]) and lowered(right[:1]) in (["a"], ["an"])
        return (*owner, *left[subject[1] : article]) if is_each and article > verb else ()
    is_somebody = owner[-1].lower in lexicon.PRONOUNS or owner[-1].is_name
    is_being = left[verb].lower in {"am", "is", "are", "was", "were"} and is_somebody
    return (*owner, left[verb]) if is_being and _is_state(left[verb + 1 :], right[0]) else ()


def _is_same_form(left: Sequence[Token], right: Sequence[Token], owner: Sequence[Token]) -> bool:
    """Whether the right words begin with a verb in the same form as the left: `work and play`."""
    verb, word = left[0].lower, right[0].lower
    if word in _FINITE:
        return len(right) > 1
    if lexicon.is_past(word):
        return lexicon.is_past(verb) or (verb in {"have", "has", "was", "am"} and len(right) > 1)
    is_plural = owner[-1].lower in {"i", "we", "they"}
    is_bare = is_plural and len(left) == 1 and not right[0].is_name
    if is_bare and word not in _BEGINS_PHRASE and lowered(right[1:2]) != [","]:
        return True  # `I swim and row.`
    is_infinitive = any(
        one == "to" and two in lexicon.VERBS for one, two in pairwise(lowered(left))
    )
    is_helped = verb in lexicon.MODALS or verb in {"will", "do", "did"}
    if is_helped or is_infinitive or len(right) == 1:
        return False
    if not is_plural:
        return word in _THIRD_PERSON
    following = right[1]
    shows_a_verb = following.is_name or following.lower in _BEGINS_PHRASE
    return word in lexicon.VERBS and (shows_a_verb or word not in _MAYBE_NOUNS)


def _is_described(tokens: Sequence[Token]) -> bool:
    """Whether a description follows a thing: `a flat in London`."""
    return lowered(tokens[:1]) in (["a"], ["an"]) and not _DESCRIBING.isdisjoint(
        lowered(tokens[2:5])
    )


def _is_state(complement: Sequence[Token], right: Token) -> bool:
    """Whether both are predicates of one `be`: `vegan` and `allergic to peanuts`."""
    words = lowered(complement)
    is_phrase = right.lower in _BEGINS_PHRASE or right.is_name
    return not is_phrase and len(words) == 1 and right.is_word
