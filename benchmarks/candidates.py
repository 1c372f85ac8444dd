"""Measures how many of the memories that a message changes are shown to the model.

    python -m benchmarks.candidates [--people N] [--gemini URL]

Each invented person has six memories about themselves, which later messages change, besides
memories about friends and verbatim notes. The memories nearest to the message or to one of its
sentences are shown. No database and no language model take part, only the built-in embedder or an
endpoint of Gemini's API.
"""

from __future__ import annotations

import argparse
import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from operator import mul
from typing import Final

from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.worlds import CITY, COMPANY, FIRST, HOBBY
from server.core.values import Vector
from server.memories.add.inferred import CANDIDATES_AT_MOST, CANDIDATES_PER_MESSAGE
from server.memories.conversation import Message as Said
from server.memories.conversation import Role
from server.memories.passages import compared_texts
from server.models.gemini.client import GeminiClient
from server.models.gemini.embedder import GeminiEmbedder
from server.models.gemini.options import GeminiOptions
from server.models.offline.embedder import OfflineEmbedder
from server.models.ports import Embedder, EmbeddingPurpose

SHOWN: Final = (5, 10, 20)
DAYS: Final = 8


@dataclass(frozen=True, slots=True)
class Message:
    """A message, and the memories of the person that it changes."""

    kind: str
    text: str
    changes: tuple[str, ...]


def own_memories(chance: random.Random) -> dict[str, str]:
    """Returns the memories about the person, by topic."""
    return {
        "work": f"User works at {chance.choice(COMPANY)} as a designer",
        "city": f"User lives in {chance.choice(CITY)}",
        "hobby": f"User loves {chance.choice(HOBBY)}",
        "allergy": "User is allergic to peanuts",
        "pet": "User has a dog named Biscuit",
        "diet": "User is vegetarian",
    }


def of_friends(chance: random.Random) -> list[str]:
    """Returns memories about others."""
    return [
        text
        for name in FIRST
        for text in (
            f"{name} lives in {chance.choice(CITY)}",
            f"{name} works at {chance.choice(COMPANY)}",
            f"{name} loves {chance.choice(HOBBY)}",
        )
    ]


def notes(chance: random.Random) -> list[str]:
    """Returns verbatim memories."""
    return [
        text
        for day in range(DAYS)
        for text in (
            f"Booked the train to {chance.choice(CITY)} for day {day}.",
            f"Moved lunch of day {day} to half past twelve.",
            f"Sent the {chance.choice(COMPANY)} drawings of day {day} to the printer.",
            f"Meeting with {chance.choice(COMPANY)} at {day} o'clock",
        )
    ]


def messages(chance: random.Random) -> list[Message]:
    """Returns short messages that change one memory each, and a long one that changes all."""
    city, company = chance.choice(CITY), chance.choice(COMPANY)
    return [
        Message("one change", f"I now work at {company} as an architect.", ("work",)),
        Message("one change", f"I moved to {city}.", ("city",)),
        Message("one change", "I am no longer vegetarian.", ("diet",)),
        Message("one change", "I am not allergic to peanuts any more.", ("allergy",)),
        Message("one change", "My dog Biscuit died last week.", ("pet",)),
        Message(
            "five changes",
            f"Lots of news since we last spoke! I moved to {city} in May, because I now work at "
            f"{company} as an architect. I gave up being vegetarian, my dog Biscuit died, and it "
            "turned out I am not allergic to peanuts.",
            ("work", "city", "diet", "allergy", "pet"),
        ),
        Message(
            "one among talk",
            "Hi there, how have you been? The weather was awful all week and the train was late "
            f"again. By the way, I moved to {city}. Anyway, see you on Friday!",
            ("city",),
        ),
        Message(
            "one among talk",
            "Good morning! Quick question about the printer: it says that paper is jammed in tray "
            "two, but I cannot see any. Oh, and please note my new job, I started as an architect "
            f"at {company} on Monday. Thanks for looking into it!",
            ("work",),
        ),
        Message(
            "one among talk",
            "What a week. First the boiler broke, then the car would not start, and on top of it "
            "all Biscuit died on Thursday. I will miss that dog. Can we move lunch to next week?",
            ("pet",),
        ),
    ]


def candidates(asked: Sequence[Vector], known: Sequence[Vector]) -> list[int]:
    """Returns the indexes of the memories to show, nearest first, chosen as in an add."""
    each = max(CANDIDATES_PER_MESSAGE, CANDIDATES_AT_MOST // len(asked))
    best: dict[int, float] = {}
    for vector in asked:
        similarity = [sum(map(mul, vector, other)) for other in known]
        for place in sorted(range(len(known)), key=lambda n: -similarity[n])[:each]:
            best[place] = max(best.get(place, -1.0), similarity[place])
    return sorted(best, key=lambda place: -best[place])[:CANDIDATES_AT_MOST]


async def found_of(embedder: Embedder, number: int) -> Counter[tuple[str, int]]:
    """Counts the changed memories of one person that are shown, by kind; 0 counts all of them."""
    chance = random.Random(number)
    own = own_memories(chance)
    memories = [*own.values(), *of_friends(chance), *notes(chance)]
    places: Mapping[str, int] = {about: place for place, about in enumerate(own)}
    known = await embedder.embed(memories, EmbeddingPurpose.DOCUMENT)
    found: Counter[tuple[str, int]] = Counter()
    for message in messages(chance):
        texts = compared_texts(
            [Said(Role.USER, message.text)], by_sentence=embedder.compares_sentences
        )
        shown = candidates(await embedder.embed(texts, EmbeddingPurpose.DOCUMENT), known)
        for change in message.changes:
            found[message.kind, 0] += 1
            found.update((message.kind, k) for k in SHOWN if places[change] in shown[:k])
    return found


@asynccontextmanager
async def chosen_embedder(url: str | None) -> AsyncIterator[Embedder]:
    """Yields the built-in embedder, or the Gemini adapter for the endpoint at `url`."""
    if url is None:
        yield OfflineEmbedder.load()
        return
    options = GeminiOptions(base_url=url)
    client = GeminiClient("no key is needed", options)
    try:
        yield GeminiEmbedder(client, options)
    finally:
        await client.close()


async def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.candidates", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--people", type=int, default=50, help="people")
    parser.add_argument("--gemini", metavar="URL", help="an endpoint of Gemini's API")
    arguments = parser.parse_args()
    found: Counter[tuple[str, int]] = Counter()
    async with chosen_embedder(arguments.gemini) as embedder:
        for number in track(range(arguments.people), "people"):
            found += await found_of(embedder, number)
    table = Table("message with", *(f"{shown} shown" for shown in SHOWN))
    for kind in ("one change", "five changes", "one among talk"):
        shares = (found[kind, shown] / found[kind, 0] for shown in SHOWN)
        table.add_row(kind, *(f"{share:.0%}" for share in shares))
    Console().print(table)


if __name__ == "__main__":
    asyncio.run(main())
