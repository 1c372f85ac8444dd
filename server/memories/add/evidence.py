"""Decides what counts as evidence for a proposal: who said it, and which clause states it.

- Only a user can change or delete a memory; an assistant or a tool never can.
- The user of the scope, whose messages have no name, may change every memory of the scope.
- A speaker with a name may change their own statements, memories about themselves, and memories
  that no user stated. They may not change what others, or the user of the scope, said about
  somebody else.
- Statements of an assistant or a tool are remembered as such, never as a fact about the user: the
  text begins with `Assistant`, `Tool` or the name of the message.

Text that a message quotes, forwards or hands over to be worked on (see
`server.memories.add.others_text`) is no evidence, with one exception: a new fact, or a request to
forget, may name something in quotation marks, as in `My favourite film is "I Am Legend"`, if a
clause of its evidence is outside the quotation.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence, Set
from itertools import pairwise

from server.core.text import is_word_character, words
from server.graph.model import entity_key
from server.memories.add.inference import Candidate
from server.memories.add.others_text import OthersText, OthersTextKind, find_others_text
from server.memories.add.proposals import Notice, NoticeReason, counted
from server.memories.add.quotes import Quote
from server.memories.conversation import Message, Role

_USER_KEYS = frozenset({entity_key("user"), entity_key("the user")})
_ARTICLE = "the "


def may_change(message: Message, candidate: Candidate) -> bool:
    """Whether the message's speaker may change or delete the candidate."""
    if message.role is not Role.USER:
        return False
    if message.name is None or candidate.role is not Role.USER:
        return True
    speaker = entity_key(message.name)
    return (
        (candidate.name is not None and entity_key(candidate.name) == speaker)
        or begins_with(candidate.text, message.name)
        or any(relation.source.key == speaker for relation in candidate.relations)
    )


def is_own_statement(message: Message, text: str) -> bool:
    """Whether the text attributes the statement to the speaker of the message.

    Statements of users need no such attribution. An assistant that is named `User` is no user.
    """
    if message.role is Role.USER:
        return True
    names = [message.role.value, message.name or ""]
    return any(begins_with(text, name) for name in names if entity_key(name) not in _USER_KEYS)


def user_keys(messages: Iterable[Message]) -> frozenset[str]:
    """Returns the keys of the entities that represent the users of a conversation."""
    named = (m.name for m in messages if m.role is Role.USER and m.name is not None)
    return _USER_KEYS.union(map(entity_key, named))


def begins_with(text: str, name: str) -> bool:
    """Whether the text begins with the name as a whole word, with or without an article."""
    folded, wanted = entity_key(text), entity_key(name)
    rest = folded.removeprefix(_ARTICLE)
    for start in {folded, rest}:
        if wanted and start.startswith(wanted) and not start[len(wanted) :][:1].isalnum():
            return True
    return False


MIN_WORDS = 2
"""The minimum number of whole words of evidence. Short clauses have two, as in "I smoke"; a single
word or a part of a word occurs in too many messages to be evidence."""

# Thai, Lao, Tibetan, Burmese, Khmer, Kana and Han are written without spaces between words. Most of
# their words have one or two letters, so a run of n letters counts as n / 2 words, rounded up.
_UNSPACED = re.compile(
    "[\u0e00-\u0fff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
    "\U00020000-\U0003ffff]"
)
_LETTERS_OF_A_WORD = 2

# Marks that end a clause, in the scripts that have them.
_CLAUSE_END = re.compile(
    "[.!?,;:\n\u2026\u3001\u3002\uff01\uff0c\uff1a\uff1b\uff1f\u060c\u061b\u061f\u0964]+"
)


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# The words are English, and some of other languages.
_CONJUNCTION = re.compile(
    r"\b(?:and|but|so|because|und|aber|y|pero|et|mais|e|ma|mas|en|maar)\b", re.IGNORECASE
)
_NEGATIONS = _words("""
not never no nobody nothing neither nor without cannot nicht kein keine keinen nie niemals nunca
jamás ne pas jamais non mai não niet geen nooit""")

HEDGES = _words("""
if unless whether suppose supposing assuming imagine pretend provided maybe perhaps possibly
probably hypothetically supposedly allegedly reportedly almost nearly theoretically presumably
hopefully apparently falsely""")
"""Words of condition or doubt: a clause with one of them asserts nothing."""

_NOT_REAL = HEDGES | _words(
    "wish wished pretending dream dreamt dreamed wenn falls ob si jeśli indien"
)
_MODALS = _words("would could might")
_REPORTING_VERBS = _words("""
say says said saying think thinks thought claim claims claimed believe believes believed reckon
reckons tell tells told ask asks asked wonder wonders suspect suspects assume assumes insist insists
hope hopes fear fears sagt sagte meint glaubt dice dijo cree dit croit""")
# The words before a verb such as `told` that show that the speaker reports their own statement.
OWN_REPORT = frozenset({"i", "we", "just", "already"})

# How far to look for the end of a clause, in characters.
_LONGEST_CLAUSE = 1000


class OwnWords:
    """The speakers' own words in a conversation, as opposed to quoted text."""

    def __init__(self, messages: Sequence[Message]) -> None:
        self._messages = messages
        self._others: dict[int, list[OthersText]] = {}

    def state(self, quote: Quote, *, may_quote: bool) -> bool:
        """Whether the quote is its speaker's own statement, if allowed with a quotation in it."""
        touched = self._touched(quote)
        if not touched:
            return True
        if not may_quote or any(span.kind is not OthersTextKind.QUOTATION for span in touched):
            return False
        content = self._messages[quote.message_index].content or ""
        outside = _outside(quote, touched)
        return sum(count_words(content, start, end) for start, end in outside) >= MIN_WORDS

    def part_of(self, quote: Quote) -> str:
        """Returns the quote without somebody else's text."""
        content = self._messages[quote.message_index].content or ""
        outside = _outside(quote, self._touched(quote))
        return " ".join(content[start:end] for start, end in outside)

    def notices(self) -> list[Notice]:
        """Returns notices of users' text that counts as somebody else's, except for quotations."""
        kinds: Counter[OthersTextKind] = Counter()
        for index, message in enumerate(self._messages):
            if message.role is Role.USER:
                kinds.update({span.kind for span in self._others_text(index)})
        del kinds[OthersTextKind.QUOTATION]
        if not kinds:
            return []
        found = ", ".join(
            f"{kind} in {counted(count, 'message', 'messages')}" for kind, count in kinds.items()
        )
        text = f"Treated as somebody else's text, from which no facts are made: {found}."
        return [Notice(NoticeReason.NOT_OWN_TEXT, text)]

    def _others_text(self, index: int) -> list[OthersText]:
        if index not in self._others:
            self._others[index] = find_others_text(self._messages[index].content or "")
        return self._others[index]

    def _touched(self, quote: Quote) -> list[OthersText]:
        return [
            span
            for span in self._others_text(quote.message_index)
            if span.start < quote.end and quote.start < span.end
        ]


def _outside(quote: Quote, touched: Sequence[OthersText]) -> Iterator[tuple[int, int]]:
    """Yields where the parts of the quote begin and end that lie outside of the spans."""
    starts = [quote.start, *(span.end for span in touched)]
    ends = [*(span.start for span in touched), quote.end]
    return ((start, end) for start, end in zip(starts, ends, strict=True) if start < end)


def asserted_end(quote: Quote, content: str) -> int:
    """Returns where the quote's assertions end: before its last clause if that is a question.

    "Should I move to Oslo?" asserts nothing; "I live in Oslo, what can I do there?" asserts the
    first clause. A clause that begins like a statement counts as a statement even if a question
    follows without punctuation, as in "I have two dogs is that ok?".
    """
    marks = list(_CLAUSE_END.finditer(content, quote.start, quote.end))
    is_whole = bool(marks) and not count_words(content, marks[-1].end(), quote.end)
    closing = (
        marks.pop()
        if is_whole
        else _CLAUSE_END.search(content, quote.end, quote.end + _LONGEST_CLAUSE)
    )
    if closing is None or not any(map(_is_question_mark, closing.group())):
        return quote.end
    reaches_mark = not count_words(content, quote.end, closing.start())
    begins_clause = bool(marks) or _begins_clause(content, quote.start)
    if begins_clause and not reaches_mark:
        return quote.end
    return marks[-1].end() if marks else quote.start


def is_cut_from_negation(quote: Quote, content: str) -> bool:
    """Whether a negation stands before the quote in its clause, so that it says the opposite.

    "It isn't true that I live in Oslo" does not state "I live in Oslo". The words are English, and
    those of some other languages.
    """
    return any(map(is_negation, words_before(quote, content)))


def is_negation(word: str) -> bool:
    """Whether the word, in lower case, negates what it stands beside."""
    return word in _NEGATIONS or word.endswith("n't")


def is_cut_from_condition(quote: Quote, content: str) -> bool:
    """Whether `if`, `I wish` or the like stands before the quote, so that it asserts nothing."""
    return not _NOT_REAL.isdisjoint(words_before(quote, content))


def is_imagined(quote: Quote, content: str) -> bool:
    """Whether the quote's first clause, or what stands before it, is a condition or a wish."""
    return not (_NOT_REAL | _MODALS).isdisjoint(_first_clause(quote, content))


def is_reported(quote: Quote, content: str) -> bool:
    """Whether somebody else says, thinks or asks what the quote states, as in "Tom says that".

    After "I told you that", it is the speaker's own statement.
    """
    return is_report(_first_clause(quote, content))


def is_report(clause: Sequence[str], own: Set[str] = OWN_REPORT) -> bool:
    """Whether somebody says or thinks something, other than after the `own` words."""
    return any(
        word in _REPORTING_VERBS and subject not in own for subject, word in pairwise(["", *clause])
    )


def _first_clause(quote: Quote, content: str) -> list[str]:
    """Returns the words of the clause in which the quote begins, up to its end in the quote."""
    return [*words_before(quote, content), *next(clauses(quote.text), [])]


def clauses(text: str) -> Iterator[list[str]]:
    """Yields the words of each clause in lower case, as far as punctuation and `and` show them."""
    for part in _CLAUSE_END.split(text):
        yield from filter(None, (words(clause.lower()) for clause in _CONJUNCTION.split(part)))


def words_before(quote: Quote, content: str) -> list[str]:
    """Returns the words before the quote in its clause, in lower case."""
    *_, before = _CONJUNCTION.split(_same_clause(content, quote.start))
    return words(before.lower())


def _begins_clause(content: str, start: int) -> bool:
    rest = _same_clause(content, start)
    return not count_words(rest, 0, len(rest))


def _same_clause(content: str, start: int) -> str:
    """Returns the part of the clause before the offset."""
    return _CLAUSE_END.split(content[max(0, start - _LONGEST_CLAUSE) : start])[-1]


def _is_question_mark(character: str) -> bool:
    return "QUESTION MARK" in unicodedata.name(character, "")


def count_words(content: str, start: int, end: int) -> int:
    """Returns the number of words that lie entirely between the two offsets."""
    found = content[start:end].split()
    if found and start > 0 and _in_one_word(content[start - 1], content[start]):
        found = found[1:]
    if found and end < len(content) and _in_one_word(content[end - 1], content[end]):
        found = found[:-1]
    return sum(map(_word_count, found))


def _word_count(word: str) -> int:
    unspaced = 0 if word.isascii() else len(_UNSPACED.findall(word))
    if unspaced:
        return (unspaced + 1) // _LETTERS_OF_A_WORD
    return 1 if any(map(str.isalnum, word)) else 0


def _in_one_word(before: str, after: str) -> bool:
    """Whether two neighbouring characters belong to the same word."""
    return all(is_word_character(c) and not _UNSPACED.match(c) for c in (before, after))
