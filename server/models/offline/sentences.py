"""The sentences that a speaker says in their own words, and what kind of talk each is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import sentencex

from server.core.words import normalized
from server.memories.add.others_text import OthersTextKind, find_others_text
from server.models.offline import languages


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence as it stands in its message.

    `statement` is the part of it that may state something: without a greeting before it and a
    question or a request after it. It is empty where nothing is left.
    """

    text: str
    statement: str
    is_foreign: bool = False


_LINE = re.compile(r"[^\r\n]+")
_MARKER = re.compile(r"\s*(?:[-*\u2022\u2013]\s+|\(?\d{1,3}[.)]\s+|#{1,6}\s+)")
_TITLE = re.compile(r"\b(?:Mr|Mrs|Ms|Dr|Prof|St|No)\.\s*$|\s\.$")
_NEXT = re.compile(r"(?<=[.!?])\s+(?=(?:I|My|We|Our|He|She|It)\b)")
_I = r"(?=(?:i|i'm|im|i've|i'd|i'll|my|our|we|we're|we've)\b)"
_LEAD = re.compile(
    rf"""(?:
      (?:hi|hello|hey|hiya|good\ (?:morning|afternoon|evening))(?:\ (?:there|again|everyone|all))?
        \s*[,!.-]+\s*
    | (?:thanks|thank\ you|thx|cheers)(?:\ so\ much|\ a\ lot)?\s*[,!.-]+\s*
    | (?:well|so|oh|ah|um|hmm|actually|anyway|btw|fyi|also|besides|honestly|yes|yeah|yep|no|nope|ok
        |okay|right|sure|great|cool|sorry|plus|update|news|note|correction|fun\ fact|by\ the\ way
        |in\ fact|to\ be\ honest|for\ the\ record|for\ context|just\ so\ you\ know|of\ course
        |as\ (?:you\ know|i\ said)|never\ ?mind|scratch\ that|edit
        |reminder|unfortunately|luckily|sadly|p\.?s\.?)
        (?:\s*[,:!-]+\s*|\s+{_I})
    | (?:and|but|because|then)\s+{_I}
    | (?:please\ )?(?:remember|note|keep\ in\ mind|don't\ forget)(?:\ that|:|,)?\s+{_I}
    | i\ (?:should|want\ to|wanted\ to|forgot\ to)\ (?:mention|add|tell\ you)\ (?:that\ )?{_I}
    )""",
    re.VERBOSE | re.IGNORECASE,
)
_ASKS = r"""(?:
    (?:can|could|would|will|do|does|did|is|are|was|were|should|shall|may|might|have|has|am|isn't
      |aren't|don't|doesn't|won't|can't|wouldn't|shouldn't)
      \ (?:you|i|we|they|he|she|it|there|this|that|these|those|the|my|your|our|any\w*|some\w*
          |[A-Z]\w+)\b
  | (?:what|where|when|why|how|which|who|whose|whom)(?:'s|\ \w+)
  | any\ (?:ideas?|suggestions?|recommendations?|tips|advice|thoughts|chance|good)\b
)"""
_ASKING = re.compile(_ASKS, re.VERBOSE | re.IGNORECASE)
_REQUESTS = (
    r"(?:(?:please|pls|kindly)\b|(?:tell|show|give|help|remind|send|let|recommend|suggest)\ me\b)"
)
_TURN_TO_QUESTION = re.compile(
    rf"(?:\s*[,;:\u2013\u2014-]\s*|\s+)(?:(?:and|so|but|or)\s+)?(?:{_ASKS}|{_REQUESTS})",
    re.VERBOSE | re.IGNORECASE,
)
_TURN_TO_REQUEST = re.compile(
    rf"(?:\s*[,;\u2013\u2014-]\s*(?:(?:and|so|but)\s+)?|\s+(?:and|so|but)\s+)"
    rf"(?:{_REQUESTS}|(?:can|could|would|will)\ you\b|i\ am\ not\ sure|i'm\ not\ sure"
    rf"|(?:what|how|where|when|which)\ (?:should|do|can|would|could)\b)",
    re.VERBOSE | re.IGNORECASE,
)
_FICTION = re.compile(
    r"""(?:please\ |now\ |ok,?\ )?(?:
        imagine|suppose|pretend|assume|picture|hypothetically|role-?play|act\ as|what\ if|in\ theory
      | let's\ (?:say|pretend|imagine|assume|play|suppose)|let\ us\ (?:say|pretend|imagine|assume)
      | say\ (?:that\ )?(?:i|my|we)\b|(?:for|in)\ (?:the\ sake\ of|a\ hypothetical)|once\ upon
      | (?:from\ now\ on,?\ )?you(?:'re|\ are|\ play|\ will\ be)\ (?:now\b|(?:an?|the|my)\b)
      | in\ (?:this|our|my|the|a)\ (?:\w+\ )?(?:story|novel|game|scenario|role-?play|book|script
          |dream|nightmare|play|film|movie|fantasy|poem|simulation)\b
      | i\ (?:had\ a\ (?:\w+\ )?dream|dream(?:ed|t)\b)
      | i\ (?:am|'m)\ writing\ (?:an?|the)\ (?:\w+\ )?(?:story|novel|script|poem|play|book)\b
    )|i'm\ writing\ (?:an?|the)\ (?:\w+\ )?(?:story|novel|script|poem|play|book)\b""",
    re.VERBOSE | re.IGNORECASE,
)
_PASSING = re.compile(
    r"""(?:
      i\ (?:just\ |really\ |also\ |still\ |already\ |do\ |don't\ |didn't\ )*
        (?:see|understand|agree|disagree|know|guess|mean|hope|wonder|appreciate|bet|promise|think
          |believe|meant|noticed|tried|mind|get|got|apologi[sz]e|heard|beg|swear|care)
        (?:\ (?:it|that|this|so|not|you|what|how|the\ .*|your.*|with.*|about.*|to))?(?:[.!,]|$)
    | i\ (?:just\ |really\ |also\ |still\ |only\ )*
        (?:need|want|wanted|would\ like|would\ love|have\ to|should|have|had|got|don't\ have)\s
        (?:you|to\ (?:know|ask|see|check|understand|make\ sure|confirm|hear|clarify|find\ out|get)
          |(?:some|a|an|your|more|any|another|one|no)?\ ?(?:quick\ |other\ |last\ )?(?:help|advice
            |suggestions?|ideas?|recommendations?|info(?:rmation)?|tips|feedback|examples?|list
            |answers?|questions?|problems?|issues?|doubts?|errors?|clue|requests?)\b)
    | i\ (?:am|was|feel)\ (?:just\ |so\ |very\ |really\ |a\ bit\ |not\ |still\ |too\ |quite\ )*
        (?:sorry|good|fine|ok|okay|great|well|tired|hungry|thirsty|sleepy|sure|glad|ready|done|back
          |here|confused|stuck|grateful|thankful|pleased|bored|busy|late|lost|curious|wondering
          |asking|kidding|joking|trying|thinking|unsure|aware|impressed|surprised|about\ to|happy
          |looking\ (?:for\ (?:an?|some|the|something)\b|forward|at|into)|excited|hoping
          |afraid\ (?:so|not|that|i)
          |having\ (?:trouble|problems|issues)|seeing|facing|struggling)\b
    | i\ (?:really\ |do\ |also\ |just\ |don't\ |will\ |definitely\ |absolutely\ |would\ )*
        (?:love|like|hate|enjoy|prefer|need|want|do|try|check|take|have|use)\ (?:it|that|this|them
          |those|these|him|her|the\ (?:idea|sound|suggestion|first|second|third|last)|your|so|both
          |one)\b
    | i\ (?:can't|cannot|can|couldn't)\ (?:still\ |really\ )?(?:see|find|figure|believe|help|wait
        |tell|hear|imagine|remember|decide|seem|think|thank|make)\b
    | (?:my|our)\ (?:\w+\ )?(?:questions?|problem|issue|error|request|point|bad|guess|apologies
        |pleasure|code|query)\b
    )""",
    re.VERBOSE | re.IGNORECASE,
)
_SHORT = {r"(?i)^i'?m\b": "I am", r"(?i)^i'd\b": "I would"}
_QUESTION_MARKS = ("?", "\uff1f", "\u061f", ";?")
_CLOSING = "\"'\u201d\u2019)\u300d \u2026!."


def own_sentences(content: str) -> Iterator[Sentence]:
    """The sentences of a message that are the speaker's own and not imagined, in their order.

    From where a speaker begins to imagine something, such as a role, nothing more is taken.
    """
    for text in _texts(content):
        sentence = _read(text)
        if _FICTION.match(normalized(_without_lead(text))):
            return
        yield sentence


def _texts(content: str) -> Iterator[str]:
    position = 0
    for span in find_others_text(content):
        if span.kind is not OthersTextKind.QUOTATION:
            yield from _split(content[position : span.start])
            position = span.end
    yield from _split(content[position:])


def _split(text: str) -> Iterator[str]:
    """The sentences of a passage. A line ends one, unless the next goes on in lower case."""
    for paragraph in _paragraphs(text):
        pending = ""
        for part in sentencex.segment("en", paragraph):
            pending += part
            if not _TITLE.search(part):
                yield from _pieces(pending)
                pending = ""
        yield from _pieces(pending)


def _pieces(text: str) -> Iterator[str]:
    """The sentences of a text that ends one, where an abbreviation was seen in `with me. I ski`."""
    for piece in _NEXT.split(text):
        if piece.strip():
            yield piece.strip()


def _paragraphs(text: str) -> Iterator[str]:
    start = end = 0
    for line in _LINE.finditer(text):
        marker = _MARKER.match(line.group())
        goes_on = end > start and not marker and line.group()[0].islower()
        is_next = text.count("\n", end, line.start()) <= 1
        if goes_on and is_next and not _is_i(line.group()):
            end = line.end()
            continue
        yield text[start:end]
        start, end = line.start() + (marker.end() if marker else 0), line.end()
    yield text[start:end]


def _is_i(line: str) -> bool:
    return line.startswith(("i ", "i'", "im ", "my "))


@lru_cache(maxsize=1_024)
def _read(text: str) -> Sentence:
    if languages.is_foreign(text):
        is_statement = languages.is_statement(text)
        return Sentence(text, text if is_statement else "", is_foreign=True)
    statement = _without_lead(text)
    level = normalized(statement)
    if _ASKING.match(level):
        return Sentence(text, "")
    asks = text.rstrip(_CLOSING).endswith(_QUESTION_MARKS) or "?" in text[-3:]
    turns = [_TURN_TO_REQUEST.search(level), _TURN_TO_QUESTION.search(level) if asks else None]
    starts = [turn.start() for turn in turns if turn]
    if starts:
        statement = statement[: min(starts)].rstrip(" ,;:")
    elif asks:
        statement = ""
    level = normalized(statement)
    for short, full in _SHORT.items():
        level = re.sub(short, full, level)
    if _PASSING.match(level):
        return Sentence(text, "")
    return Sentence(text, statement)


def _without_lead(text: str) -> str:
    """The text without `well,`, `by the way,` and their like in front."""
    level = normalized(text)
    if len(level) != len(text):
        return text
    position = 0
    while (lead := _LEAD.match(level, position)) and lead.end() > position:
        position = lead.end()
    return text[position:].strip()
