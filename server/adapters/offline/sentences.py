"""Where sentences begin and end."""

from __future__ import annotations

import re
from collections.abc import Iterator

from server.adapters.offline.words import word_set

# Every pattern here looks at each character a bounded number of times, so that a message of
# hundreds of kilobytes takes milliseconds.
_LINE = re.compile(r"[^\n\r]+")
_FENCE = re.compile(r"\s{0,3}(?:```|~~~)")
_MARKER = re.compile(r"\s*(?:[-*\u2022\u2013>]\s+|\(?\d{1,3}[.)]\s+|#{1,6}\s+)")
_STOP = re.compile(r"[.!?\u2026]+[\"'\u201d\u2019)\]]*(?=\s|$)|;(?=\s|$)|[\u3002\uff01\uff1f]+")
_LAST_WORD = re.compile(r"[^\s(\"'\u201c]{1,12}$")
_INITIAL = re.compile(r"[^\W\d]\.")
_NEVER_LAST = word_set(
    """mr. mrs. ms. dr. prof. st. mt. vs. e.g. i.e. cf. approx. fig. no. jan. feb. mar. apr. jun.
    jul. aug. sep. sept. oct. nov. dec. gen. sen. rev. sr."""
)
_SOMETIMES_LAST = word_set("a.m. p.m. etc. inc. ltd. co. corp. jr. u.s. u.k. ph.d. b.c. a.d.")


def split(text: str) -> Iterator[str]:
    """The sentences of the text, each as it stands there, without list markers; code is left out.

    A line ends a sentence, unless the next one goes on in lower case.
    """
    for paragraph in _paragraphs(text):
        yield from _sentences(paragraph)


def _paragraphs(text: str) -> Iterator[str]:
    """Runs of lines that belong together, as slices of the text."""
    start = end = 0
    in_code = False
    for line in _LINE.finditer(text):
        if _FENCE.match(line.group()):
            in_code = not in_code
            yield text[start:end]
            start = end = line.end()
        elif not in_code and not (end > start and _goes_on(text[end : line.start()], line.group())):
            yield text[start:end]
            marker = _MARKER.match(line.group())
            start, end = line.start() + (marker.end() if marker else 0), line.end()
        elif not in_code:
            end = line.end()
    yield text[start:end]


def _goes_on(gap: str, line: str) -> bool:
    """Whether a line goes on with the sentence of the line before it."""
    return gap.count("\n") <= 1 and line[:1].islower() and not _starts_anew(line)


def _starts_anew(line: str) -> bool:
    return line.startswith(("i ", "i'", "im ", "my "))


def _sentences(paragraph: str) -> Iterator[str]:
    start = 0
    for stop in _STOP.finditer(paragraph):
        if _ends(paragraph, stop):
            yield from _trimmed(paragraph[start : stop.end()])
            start = stop.end()
    yield from _trimmed(paragraph[start:])


def _ends(paragraph: str, stop: re.Match[str]) -> bool:
    """Whether a full stop ends a sentence, and not only an abbreviation."""
    if stop.group() != ".":
        return True
    last = _LAST_WORD.search(paragraph[max(0, stop.end() - 12) : stop.end()])
    word = last.group().lower() if last else ""
    if word in _NEVER_LAST or (_INITIAL.fullmatch(word) and word != "i."):
        return False
    return (
        word not in _SOMETIMES_LAST or not paragraph[stop.end() : stop.end() + 2].strip().islower()
    )


def _trimmed(sentence: str) -> Iterator[str]:
    trimmed = sentence.strip().rstrip(";").rstrip()
    if trimmed:
        yield trimmed
