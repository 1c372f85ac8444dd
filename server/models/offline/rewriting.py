"""Rewrites statements from the first to the third person: `I moved` becomes `User moved`.

It also resolves short forms, where `'s` means `is`, `has`, or a possessive, and relative dates:
`yesterday` becomes `yesterday (2026-11-22)`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from server.models.offline import lexicon
from server.models.offline.clauses import JOINING, is_verb
from server.models.offline.lexicon import ADVERBS, DAYS, listed, third_person, word_set
from server.models.offline.sentences import HAS, IS, Token, after_adverbs, joined, split_words
from server.models.offline.statements import Statement, Who

_OWNERS = word_set("my our his her")
_NEVER_AFTER_POSSESSIVE = (
    word_set("a an the my our not called named been")
    | lexicon.PREPOSITIONS
    | (lexicon.ADVERBS - {"no", "both", "only"})
)
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
            is_perfect = place + 1 < len(said) and _is_participle(said[place + 1])
            tokens.append(HAS if is_perfect else IS)
        else:
            tokens.append(token)
    return tokens


def _is_short(tokens: Sequence[Token], place: int) -> bool:
    """Whether this is `sister's` for `sister is`: after an owner come a noun and a verb."""
    if not tokens[place].lower.endswith("'s") or place + 1 == len(tokens):
        return False
    is_no_possessive = _begins_no_noun_phrase(tokens[place + 1]) or _is_state(tokens, place + 1)
    return is_no_possessive and _begins_clause(tokens, place)


def _is_participle(token: Token) -> bool:
    """Whether the word after `'s` shows that it means `has`: `she's moved`."""
    word = token.lower
    return word in {"been", "got", "become"} or (lexicon.is_past(word) and word not in _STATES)


def _begins_clause(tokens: Sequence[Token], place: int) -> bool:
    """Whether a clause begins with `my older sister` or a name that ends at this place."""
    start = place
    while start and tokens[start - 1].lower not in JOINING:
        start -= 1
    is_owned = tokens[start].lower in _OWNERS and place > start
    return (is_owned and place - start <= _MOST_OWNED_WORDS) or all(
        token.is_name for token in tokens[start : place + 1]
    )


def _begins_no_noun_phrase(token: Token) -> bool:
    """Whether no noun phrase after a possessive begins with this word."""
    word = token.lower
    return word in _NEVER_AFTER_POSSESSIVE or token.text.isdigit() or lexicon.is_gerund(word)


def _is_state(tokens: Sequence[Token], place: int) -> bool:
    """Whether only a state such as `vegan` or `allergic to nuts` follows, without a verb."""
    end = next((p for p in range(place, len(tokens)) if tokens[p].lower in JOINING), len(tokens))
    first, *rest = tokens[place:end] or [IS]
    is_known = first.lower in _STATES or lexicon.is_past(first.lower)
    is_plain = first.is_word and not first.is_name and first.lower not in lexicon.KINSHIP
    has_object = is_plain and bool(rest) and rest[0].lower in {"to", "with"}
    return (is_known or has_object) and not any(is_verb(tokens, n) for n in range(place + 1, end))


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


_COUNTED = ("a", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
            "eleven", "twelve")  # fmt: skip
_NUMBERS = {word: max(place, 1) for place, word in enumerate(_COUNTED)} | {"an": 1}
_NAMED_DAYS = {
    "the day before yesterday": -2, "day before yesterday": -2, "yesterday": -1, "last night": -1,
    "today": 0, "tonight": 0, "this morning": 0, "this afternoon": 0, "this evening": 0,
    "tomorrow": 1, "the day after tomorrow": 2, "day after tomorrow": 2,
}  # fmt: skip
_STEP = {"last": -1, "this": 0, "next": 1}
_COUNT = rf"(\d{{1,3}}|{'|'.join(_NUMBERS)}) (day|week|month|year)s?"
_RELATIVE = re.compile(
    rf"\b(?:({'|'.join(_NAMED_DAYS)})|(last|next|this) ({'|'.join(DAYS)}|weekend|week|month|year)"
    rf"|{_COUNT} ago|in {_COUNT})\b(?!'s)",
    re.IGNORECASE,
)
_MONTHS = 12
_WEEK = timedelta(weeks=1)


def resolved(text: str, now: datetime) -> str:
    """Returns the text with the calendar date, by the UTC day of `now`, after relative dates."""
    today = now.astimezone(UTC).date()
    return _RELATIVE.sub(lambda match: _annotated(match, today), text)


def _annotated(match: re.Match[str], today: date) -> str:
    try:
        return f"{match.group()} ({_calendar_date(match, today)})"
    except (OverflowError, ValueError):  # before the first or after the last year of the calendar
        return match.group()


def _calendar_date(match: re.Match[str], today: date) -> str:
    named_day, step, period, count_ago, unit_ago, count_ahead, unit_ahead = (
        (part or "").lower() for part in match.groups()
    )
    if named_day:
        return str(today + timedelta(days=_NAMED_DAYS[named_day]))
    if step:
        return _stepped(_STEP[step], period, today)
    if count_ago:
        return _shifted(-_number(count_ago), unit_ago, today)
    return _shifted(_number(count_ahead), unit_ahead, today)


def _stepped(step: int, period: str, today: date) -> str:
    """Returns the last, this or next period or day, in calendar weeks that begin on Monday."""
    monday = today - timedelta(days=today.weekday())
    if period == "weekend":
        return f"weekend of {monday + timedelta(days=5) + step * _WEEK}"
    if period == "week":
        return f"week of {monday + step * _WEEK}"
    if period not in DAYS:
        return _shifted(step, period, today)
    # The nearest such day before or after today; for `this`, the day of this week.
    ahead = DAYS.index(period) - today.weekday()
    days = {-1: ahead % 7 - 7, 0: ahead, 1: ahead % 7 or 7}[step]
    return str(today + timedelta(days=days))


def _shifted(count: int, unit: str, today: date) -> str:
    """Returns the day, month or year that is this many units after today, to the unit."""
    if unit in {"day", "week"}:
        return str(today + timedelta(**{f"{unit}s": count}))
    if unit == "year":
        return f"{today.replace(year=today.year + count, day=1).year}"
    years, month = divmod(today.month - 1 + count, _MONTHS)
    return f"{today.replace(year=today.year + years, month=month + 1, day=1):%Y-%m}"


def _number(text: str) -> int:
    return int(text) if text.isdigit() else _NUMBERS[text]
