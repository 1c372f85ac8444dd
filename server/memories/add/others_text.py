"""Finds the parts of a message that are somebody else's words, and not its speaker's statements.

People paste mail, chats, code and documents into their messages. Such a part is no evidence of
facts about them or of changes. Parts are found by their structure: quotation marks, markers at the
beginning of lines, headings, and requests or questions about a text. When in doubt, a part counts
as somebody else's. The patterns are in `others_text.toml`.

The time is linear in the length of the message.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby

from server.core.patterns import Patterns, data_file
from server.core.text import with_plain_spaces


class OthersTextKind(StrEnum):
    """Why a part of a message counts as somebody else's."""

    QUOTED_MAIL = "quoted mail"
    CODE = "code"
    TRANSCRIPT = "transcript"
    RECALLED = "recalled memories"
    MATERIAL = "text to work on"
    QUOTATION = "quotation"


@dataclass(frozen=True, slots=True, order=True)
class OthersText:
    """A part of a message, from `start` up to but not including `end`, in characters."""

    start: int
    end: int
    kind: OthersTextKind


@dataclass(frozen=True, slots=True)
class _Line:
    """A line that is not blank, without its line break, and its start."""

    text: str
    start: int

    @property
    def end(self) -> int:
        return self.start + len(self.text)


_pattern = Patterns(data_file("server.memories.add", "others_text"))
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n|$)")
_QUOTED_LINE = _pattern("quoted_line")
_LIST_ITEM = _pattern("list_item")
_COLON = _pattern("colon")
_COLON_AT_END = _pattern("colon_at_end")
_FENCE = _pattern("fence")
_SURELY_CODE = _pattern("surely_code")
_MAYBE_CODE = _pattern("maybe_code")
_TAG = _pattern("tag")
_ELEMENT = _pattern("element")
_MAIL_BEGINS = _pattern("mail_begins")
_MAIL_SENDER = _pattern("mail_sender")
_MAIL_HEADER = _pattern("mail_header")
_TURN = _pattern("turn")
_INLINE_SPEAKER = _pattern("inline_speaker")
_PERSON = _pattern("person")
_FULL_STOP_AT_END = _pattern("full_stop_at_end")
_RECALLED_HEADING = _pattern("recalled_heading")
_ABOUT_USER = _pattern("about_user")
_USER_AFTER_COLON = _pattern("user_after_colon")
_REQUEST = _pattern("request")
_DOCUMENT_HEADING = _pattern("document_heading")
_GIVEN_DOCUMENT = _pattern("given_document")
_SAID_HEADING = _pattern("said_heading")
_POINTS_BACK = _pattern("points_back")
_QUOTATION_MARKS = _pattern("quotation_marks")
_QUOTATION = _pattern("quotation")


def find_others_text(content: str) -> list[OthersText]:
    """Returns the parts that are somebody else's, in order and without overlaps."""
    content = with_plain_spaces(content)
    spans: list[OthersText] = []
    if "\n" in content or ":" in content or "\uff1a" in content or ">" in content:
        spans += _blocks(content)
    if _QUOTATION_MARKS.search(content):
        spans += _quotations(content)
    return _disjoint(spans)


def is_within(spans: Sequence[OthersText], start: int, end: int) -> bool:
    """Whether the text from `start` to `end` lies wholly inside one of the spans."""
    return any(span.start <= start and end <= span.end for span in spans)


def _disjoint(spans: Iterable[OthersText]) -> list[OthersText]:
    """Returns the spans in order; overlapping spans are merged and keep the first kind."""
    merged: list[OthersText] = []
    for span in sorted(spans):
        if merged and span.start < merged[-1].end:
            last = merged.pop()
            merged.append(OthersText(last.start, max(last.end, span.end), last.kind))
        elif span.start < span.end:
            merged.append(span)
    return merged


def _blocks(content: str) -> Iterator[OthersText]:
    lines = [
        _Line(match.group().rstrip("\r\n"), match.start())
        for match in _LINE.finditer(content)
        if match.group().strip()
    ]
    end = len(content)
    yield from _code(lines, end)
    yield from _tagged(lines)
    yield from _mail(lines, end)
    yield from _transcripts(lines)
    yield from _recalled(lines, content)
    yield from _third_person_notes(lines)
    yield from _material(lines, end)


def _code(lines: Sequence[_Line], end: int) -> Iterator[OthersText]:
    """Yields fenced blocks, and runs of lines that are written like code.

    An unclosed block extends to the end (CommonMark 0.31, 4.5).
    """
    fence = ""
    start = 0
    for line in lines:
        match = _FENCE.match(line.text)
        if match and not fence:
            fence, start = match.group(1), line.start
        elif match and match.group(1).startswith(fence):
            yield OthersText(start, line.end, OthersTextKind.CODE)
            fence = ""
    if fence:
        yield OthersText(start, end, OthersTextKind.CODE)
    for is_code, run in groupby(lines, _may_be_code):
        block = list(run)
        if is_code and len(block) > 1 and any(map(_is_surely_code, block)):
            yield OthersText(block[0].start, block[-1].end, OthersTextKind.CODE)


def _may_be_code(line: _Line) -> bool:
    return _is_surely_code(line) or bool(_MAYBE_CODE.match(line.text))


def _is_surely_code(line: _Line) -> bool:
    return bool(_SURELY_CODE.match(line.text[:400]))


def _tagged(lines: Sequence[_Line]) -> Iterator[OthersText]:
    """Yields blocks and elements between `<name>` and `</name>`, and comments in markup."""
    name = ""
    start = 0
    for line in lines:
        opened = None if name else _TAG.match(line.text)
        if opened:
            name, start = opened.group(1), line.start
        if name and line.text.rstrip().endswith(f"</{name}>"):
            yield OthersText(start, line.end, OthersTextKind.MATERIAL)
            name = ""
        for element in _ELEMENT.finditer(line.text):
            begin, end = line.start + element.start(), line.start + element.end()
            yield OthersText(begin, end, OthersTextKind.MATERIAL)


def _mail(lines: Sequence[_Line], end: int) -> Iterator[OthersText]:
    """Yields lines that begin with `>`, and text after a heading of quoted or forwarded mail."""
    for quoted, run in groupby(lines, _is_quoted):
        if quoted:
            block = list(run)
            yield OthersText(block[0].start, block[-1].end, OthersTextKind.QUOTED_MAIL)
    for number, line in enumerate(lines):
        following = lines[number + 1 : number + 2]
        headers = (_MAIL_HEADER.match(next_line.text) for next_line in following)
        is_headed = _MAIL_SENDER.match(line.text) and any(headers)
        if is_headed or (_MAIL_BEGINS.match(line.text) and not _is_quoted(*following)):
            yield OthersText(line.start, end, OthersTextKind.QUOTED_MAIL)
            return


def _is_quoted(*lines: _Line) -> bool:
    return any(_QUOTED_LINE.match(line.text) for line in lines)


def _transcripts(lines: Sequence[_Line]) -> Iterator[OthersText]:
    """Yields runs of lines such as `Name: some words`, and lines with several such turns."""
    run: list[tuple[_Line, re.Match[str]]] = []
    for line in lines:
        if len(speakers := list(_INLINE_SPEAKER.finditer(line.text))) > 1:
            start = line.start + speakers[0].start()
            yield OthersText(start, line.end, OthersTextKind.TRANSCRIPT)
        if turn := _TURN.match(line.text[:400]):
            run.append((line, turn))
        else:
            yield from _conversation(run)
            run = []
    yield from _conversation(run)


def _conversation(run: Sequence[tuple[_Line, re.Match[str]]]) -> Iterator[OthersText]:
    """Yields the lines as one part if they are a conversation, not a form (`City: Rome`).

    A turn has a time, a speaker who speaks again, a person's name, or a full stop.
    """
    turns = [turn for _, turn in run]
    is_talk = any(turn["time"] for turn in turns) or (
        len(turns) > 1
        and (
            len({turn["label"] for turn in turns}) < len(turns)
            or any(_PERSON.search(turn["said"]) for turn in turns)
            or 2 * sum(bool(_FULL_STOP_AT_END.search(turn["said"])) for turn in turns) >= len(turns)
        )
    )
    if is_talk:
        yield OthersText(run[0][0].start, run[-1][0].end, OthersTextKind.TRANSCRIPT)


def _recalled(lines: Sequence[_Line], content: str) -> Iterator[OthersText]:
    """Yields the text after a heading such as `Relevant memories:`, up to the next paragraph."""
    start = end = -1
    for line in lines:
        is_new_paragraph = end >= 0 and content.count("\n", end, line.start) > 1
        if start >= 0 and is_new_paragraph and end > start:
            yield OthersText(start, end, OthersTextKind.RECALLED)
            start = -1
        if start >= 0:
            end = line.end
        elif _RECALLED_HEADING.match(line.text[:200]):
            start = line.start
            end = line.start
    if end > start >= 0:
        yield OthersText(start, end, OthersTextKind.RECALLED)


def _third_person_notes(lines: Sequence[_Line]) -> Iterator[OthersText]:
    """Yields notes about the user in the third person: lists, lines and texts after a colon.

    People do not write about themselves in this way; memories about them do.
    """
    for number, line in enumerate(lines):
        if user := _USER_AFTER_COLON.search(line.text):
            yield OthersText(line.start + user.start(), line.end, OthersTextKind.RECALLED)
        elif number and _COLON_AT_END.search(lines[number - 1].text) and _is_about_user(line):
            yield OthersText(lines[number - 1].start, line.end, OthersTextKind.RECALLED)
    for is_list, run in groupby(lines, lambda line: bool(_LIST_ITEM.match(line.text))):
        items = list(run)
        if is_list and any(map(_is_about_user, items)):
            yield OthersText(items[0].start, items[-1].end, OthersTextKind.RECALLED)
    for is_about_user, run in groupby(lines, _is_about_user):
        block = list(run)
        if is_about_user and len(block) > 1:
            yield OthersText(block[0].start, block[-1].end, OthersTextKind.RECALLED)


def _is_about_user(line: _Line) -> bool:
    marker = _LIST_ITEM.match(line.text)
    return bool(_ABOUT_USER.match(line.text, marker.end() if marker else 0))


def _material(lines: Sequence[_Line], end: int) -> Iterator[OthersText]:
    """Yields text that one asks to translate and so on or asks about, or that a heading announces.

    After a request or a question about a text it extends to the end of the message, or only over a
    quotation if one follows. A request about `this` at the end refers to the text before it. Words
    after `said:` within a line extend to the end of that line.
    """
    for number, line in enumerate(lines):
        following = lines[number + 1 : number + 2]
        if request := _REQUEST.search(line.text):
            if colon := _COLON.match(line.text, request.end()):
                yield from _announced(line, colon.end(), end)
            elif following and request.end() >= len(line.text.rstrip(" .!?")):
                yield OthersText(line.end, end, OthersTextKind.MATERIAL)
            elif not following and _POINTS_BACK.search(request.group()):
                yield OthersText(0, line.start + request.start(), OthersTextKind.MATERIAL)
            return
        given = _GIVEN_DOCUMENT.match(line.text)
        if given and (colon := _COLON.match(line.text, given.end())):
            yield from _announced(line, colon.end(), end)
            return
        if _DOCUMENT_HEADING.search(line.text[-400:]) and following and not _is_quoted(*following):
            yield OthersText(line.end, end, OthersTextKind.MATERIAL)
            return
        if said := _SAID_HEADING.search(line.text):
            is_inline = said.end() < len(line.text)
            if is_inline or (following and not _is_quoted(*following)):
                stop = line.end if is_inline else end
                yield OthersText(line.start + said.end(), stop, OthersTextKind.MATERIAL)


def _announced(line: _Line, place: int, end: int) -> Iterator[OthersText]:
    """Yields the text after the colon of a request, unless it is a quotation, found elsewhere."""
    if not _QUOTATION.match(line.text, place):
        yield OthersText(line.start + place, end, OthersTextKind.MATERIAL)


def _quotations(content: str) -> Iterator[OthersText]:
    """Yields quotations of more than one word; a single word is a name or mere emphasis."""
    for match in _QUOTATION.finditer(content):
        if len(match.group()[1:-1].split()) > 1:
            yield OthersText(match.start(), match.end(), OthersTextKind.QUOTATION)
