"""Finds the parts of a message that are somebody else's words, and not its speaker's statements.

People paste mail, chats, code and documents into their messages. Such a part is no evidence of
facts about them or of changes. Parts are found by their structure: quotation marks, markers at the
beginning of lines, headings, and requests that announce a text. When in doubt, a part counts as
somebody else's.

The time is linear in the length of the message.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby


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


_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n|$)")
_QUOTED_LINE = re.compile(r"[ \t]{0,3}>")
_FENCE = re.compile(r"[ \t]{0,3}(`{3,}|~{3,})")
# Code without a fence has lines that are surely code, and around them comments, assignments and
# indented lines.
_SURELY_CODE = re.compile(
    r"[ \t]*(?:def|class|func|function|fn|const|let|var|import|return|public|private|static"
    r"|#include|SELECT|INSERT|UPDATE|CREATE)\b[^\n]*[({=;<\"']"
    r"|[^\n]*\w\([^()\n]*\)[ \t]*[:;{][ \t]*$|[^\n]*[{}][;,)]*[ \t]*$"
)
_MAYBE_CODE = re.compile(
    r"[ \t]*(?:#|//|/\*|\*/|--|[\w.\[\]]+ ?[-+*/:]?= ?\S)|(?: {2,}|\t)[ \t]*\S"
)
_TAG = re.compile(r"[ \t]*<([A-Za-z][\w-]{0,40})(?: [^<>]{0,200})?>")
# An element within a line, such as `<note>I sold it</note>`, except elements of mere emphasis.
_ELEMENT = re.compile(
    r"<(?!(?:a|b|i|u|s|em|strong|mark|small|sub|sup|span)\b)([A-Za-z][\w-]{0,40})"
    r"(?: [^<>]{0,200})?>[^<>]{1,2000}</\1>|<!--.{1,2000}?-->"
)
_MAIL_BEGINS = re.compile(
    r"""\s*(?:
        (?:On|Am|Le|El|Il|Em|Op)\ .{4,200}?(?:wrote|schrieb|a\ \u00e9crit|escribi\u00f3|ha\ scritto
            |escreveu|schreef)\b.{0,80}:
      | -{2,}\s*(?:Original\ Message|Forwarded\ message|Urspr\u00fcngliche\ Nachricht)\s*-{2,}
      | Begin\ forwarded\ message:
      | (?:From|Von|De):\ .{1,200}@.{1,200}
    )\s*$""",
    re.VERBOSE | re.IGNORECASE,
)
_MAIL_SENDER = re.compile(r"\s*(?:From|Von|De|Da|Van):\s*\S", re.IGNORECASE)
_MAIL_HEADER = re.compile(
    r"\s*(?:To|Cc|Sent|Date|Subject|Re|An|Datum|Gesendet|Betreff|\u00c0|Envoy\u00e9|Objet|Para|Fecha"
    r"|Asunto|A|Data|Oggetto|Aan|Onderwerp):\s*\S",
    re.IGNORECASE,
)
_SPEAKER = re.compile(
    r"""\s*(?:[-*\u2022]\s+)?
        (?P<time>\[?\(?\d{1,2}[:.]\d{2}[^\]\)]{0,20}?[\])]?[ ,-]{0,3})?
        (?P<label>\*{0,2}[^\W\d_][\w.'\u2019-]{0,30}(?:\ [\w.'\u2019-]{1,30}){0,2}\*{0,2})
        (?:\ ?[\[(][^\])]{1,30}[\])])?
        \ ?[:\uff1a]\*{0,2}(?:\s+|(?<=\uff1a))(?P<said>\S.*)$""",
    re.VERBOSE,
)
_INLINE_SPEAKER = re.compile(r"(?:^|(?<=[.!?\u2026\"] ))([A-Z][\w'\u2019-]{0,30}): (?=\S)")
_PERSON = re.compile(
    r"(?:\b(?:i|i'm|i've|my|me|we|our|you|your|ich|du|mein|wir|je|tu|mon|nous|yo|soy|mi|io|sono|mio"
    r"|eu|meu|ik|mijn|ja|jestem)\b|[\u042f\u044f]\b|\u79c1|\u6211|\u4f60)",
    re.IGNORECASE,
)
_STOP = re.compile(r"[.!?\u2026\u3002\uff01\uff1f\u0964][\"'\u201d)]*\s*$")
_RECALLED_HEADING = re.compile(
    r"""\s*(?:[#*]+\s*)?(?:here\ (?:is|are)\ )?(?!.*\bmy\b)
        (?:[\w'-]+\ ){0,5}?
        (?:(?:memor(?:y|ies)|recollections|context|background|knowledge|(?:known|stored)\ facts)
            (?:\ [\w'-]+){0,5}
          |facts\ about\ (?:the\ )?(?!me\b)\w+
          |(?:you|we|i)\ (?:already\ )?(?:know|remember|recall)(?:ed|s)?\ about\b.{0,40})
        \s*:\**\s*$""",
    re.VERBOSE | re.IGNORECASE,
)
_LIST_ITEM = re.compile(
    r"[ \t]*(?:[-*+\u2022\u2013]|\(?\d{1,3}[.):]|\[[^\]\n]{1,30}\]|\(\d[^)\n]{1,30}\))[ \t]+"
)
_ABOUT_USER = re.compile(
    r"[ \t]*[*\"'\u201c]{0,3}(?:the )?user(?:['\u2019]s\b|\b(?!-))", re.IGNORECASE
)
_USER_AFTER_COLON = re.compile(r"(?<=[:\uff1a] )(?:[Tt]he user|User)(?:['\u2019]s)? (?=\w)")
_COLON_AT_END = re.compile(r"[:\uff1a]\**[ \t]*$")

_WORK = (
    r"(?:summari[sz]e|sum\ up|translate|rewrite|re-write|rephrase|reword|paraphrase|proofread|edit"
    r"|polish|shorten|condense|simplify|improve|correct|fix|review|check|analy[sz]e|critique"
    r"|explain|classify|extract|convert|turn|make|format|continue|complete|reply|respond|answer"
    r"|read|write|draft|compose|repeat|echo|say|spell-?check|tl;?dr|give\ me\ a\ summary"
    r"|\u00fcbersetze|fasse|korrigiere|traduis|r\u00e9sume|corrige|traduce|resume|traduci|riassumi"
    r"|traduza|resuma|vertaal|przet\u0142umacz|\u043f\u0435\u0440\u0435\u0432\u0435\u0434\u0438)"
)
_POLITELY = (
    r"(?:(?:please|pls|kindly|hi|hello|hey|now|ok|okay|bitte|por\ favor|per\ favore)[,!]?\ "
    r"|(?:can|could|would|will)\ you\ (?:please\ |kindly\ )?(?:help\ me\ (?:to\ )?)?"
    r"|help\ me\ (?:to\ )?|i\ (?:need|want)\ (?:you\ )?to\ |i'd\ like\ you\ to\ )*"
)
_REQUEST = re.compile(
    rf"(?:^|(?<=[.!?\u2026,] ))\s*{_POLITELY}(?!edit\s*:){_WORK}\b[^.!?:\uff1a\n]{{0,200}}",
    re.VERBOSE | re.IGNORECASE,
)
_DOCUMENT = (
    r"(?:bio|biography|e-?mail|mail|letter|text|texts|message|post|tweet|article|essay|story|poem"
    r"|lyrics|song|paragraph|passage|draft|review|comment|note|quote|log|transcript|conversation"
    r"|chat|dialogue|script|cv|resume|r\u00e9sum\u00e9|description|ad|profile|document|excerpt"
    r"|statement|testimonial|sentence|following|reply)\b"
)
_DOCUMENT_HEADING = re.compile(
    rf"\b{_DOCUMENT}[^.!?:\n]{{0,60}}[:\uff1a]\s*$"
    rf"|^\s*(?:below|here|attached) [^.!?:\n]{{0,60}}\b{_DOCUMENT}[^.!?:\n]{{0,60}}\.\s*$",
    re.IGNORECASE,
)
_GIVEN_DOCUMENT = re.compile(
    r"\s*(?!.{0,80}\b(?:remember|save|store|keep|take|add)\b)[^.!?:\n]{0,80}"
    rf"\b(?:this|the following) (?:[\w'-]+ ){{0,3}}{_DOCUMENT}(?=[:\uff1a]\s*\S)",
    re.IGNORECASE,
)
_SAID_HEADING = re.compile(
    r"(?<!\bI )(?<!\bi )\b(?:wrote|writes|said|says|texted|messaged|posted|replied|answered|asked"
    r"|told me|sent me|states|reads|goes|begins|starts|opens|commented|tweeted|e?mailed)\b"
    r"[^.!?:\n]{0,40}[:\uff1a]\s*(?=\S|$)"
)
_POINTS_BACK = re.compile(r"\b(?:this|above|that|these)\b", re.IGNORECASE)
_COLON = re.compile(r"[:\uff1a](?=\s|[\"\u201c\u201e\u00ab]|$)\s*")
_QUOTATION_MARKS = re.compile("[\"'\u2018\u201c\u201e\u00ab\u300c\u300e]")
_QUOTATION = re.compile(
    '"[^"\n]{1,2000}"|\u201c[^\u201c\u201d\n]{1,2000}\u201d'
    "|\u201e[^\u201c-\u201e\n]{1,2000}[\u201c\u201d]|\u00ab[^\u00ab\u00bb\n]{1,2000}\u00bb"
    "|\u300c[^\u300c\u300d\n]{1,2000}\u300d|\u300e[^\u300e\u300f\n]{1,2000}\u300f"
    "|(?:^|(?<=[\\s(:]))['\u2018](?=\\S)(?:[^'\u2018\u2019\n]|['\u2019](?=\\w)){1,300}['\u2019](?!\\w)"
)


def find_others_text(content: str) -> list[OthersText]:
    """Returns the parts that are somebody else's, in order and without overlaps."""
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
        if turn := _SPEAKER.match(line.text[:400]):
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
            or 2 * sum(bool(_STOP.search(turn["said"])) for turn in turns) >= len(turns)
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
    for of_user, run in groupby(lines, _is_about_user):
        block = list(run)
        if of_user and len(block) > 1:
            yield OthersText(block[0].start, block[-1].end, OthersTextKind.RECALLED)


def _is_about_user(line: _Line) -> bool:
    marker = _LIST_ITEM.match(line.text)
    return bool(_ABOUT_USER.match(line.text, marker.end() if marker else 0))


def _material(lines: Sequence[_Line], end: int) -> Iterator[OthersText]:
    """Yields text to summarize, translate, rewrite and so on, or that a heading announces.

    After a request it extends to the end of the message, or only over a quotation if one follows. A
    request about `this` at the end refers to the text before it. Words after `said:` within a line
    extend to the end of that line.
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
