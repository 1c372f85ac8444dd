"""How many of the memories that a message changes are among those that the model is shown.

    python -m benchmarks.candidates [--people N]

Each invented person has six memories of their own, which later messages change, among those about
friends and among notes kept verbatim. Shown are the memories nearest to the message. No database
and no language model take part: it is asked which of them the built-in embedder finds.
"""

from __future__ import annotations

import argparse
import asyncio
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import mul
from typing import Final

from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.worlds import CITY, COMPANY, FIRST, HOBBY
from server.core.values import Vector
from server.models.offline.embedder import OfflineEmbedder
from server.models.ports import EmbeddingPurpose

SHOWN: Final = (5, 10, 20)
DAYS: Final = 8


@dataclass(frozen=True, slots=True)
class Message:
    """What is said, and of which of the person's memories it says something else."""

    kind: str
    text: str
    changes: tuple[str, ...]


def own_memories(chance: random.Random) -> dict[str, str]:
    """What is known of the person, by what it is about."""
    return {
        "work": f"User works at {chance.choice(COMPANY)} as a designer",
        "city": f"User lives in {chance.choice(CITY)}",
        "hobby": f"User loves {chance.choice(HOBBY)}",
        "allergy": "User is allergic to peanuts",
        "pet": "User has a dog named Biscuit",
        "diet": "User is vegetarian",
    }


def of_friends(chance: random.Random) -> list[str]:
    """What is known of others."""
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
    """What was kept as it was said."""
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
    """Short ones that change one memory each, and a long one that changes all of these."""
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
    ]


def place_of(wanted: Vector, message: Vector, vectors: Sequence[Vector]) -> int:
    """How many memories are nearer to the message than the wanted one."""
    least = sum(map(mul, wanted, message))
    return sum(sum(map(mul, vector, message)) > least for vector in vectors)


async def found_of(embedder: OfflineEmbedder, number: int) -> Counter[tuple[str, int]]:
    """The memories of one person that would be shown, by kind of message; 0 counts the wanted."""
    chance = random.Random(number)
    own = own_memories(chance)
    others = [*of_friends(chance), *notes(chance)]
    said = messages(chance)
    texts = [*own.values(), *others, *(message.text for message in said)]
    vectors = await embedder.embed(texts, EmbeddingPurpose.DOCUMENT)
    known = vectors[: -len(said)]
    vector_of: Mapping[str, Vector] = dict(zip(own, vectors, strict=False))
    found: Counter[tuple[str, int]] = Counter()
    for message, vector in zip(said, vectors[-len(said) :], strict=True):
        for change in message.changes:
            place = place_of(vector_of[change], vector, known)
            found[message.kind, 0] += 1
            found.update((message.kind, shown) for shown in SHOWN if place < shown)
    return found


async def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.candidates", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--people", type=int, default=50, help="people")
    people = parser.parse_args().people
    embedder = OfflineEmbedder.load()
    found: Counter[tuple[str, int]] = Counter()
    for number in track(range(people), "people"):
        found += await found_of(embedder, number)
    table = Table("message with", *(f"{shown} shown" for shown in SHOWN))
    for kind in ("one change", "five changes"):
        shares = (found[kind, shown] / found[kind, 0] for shown in SHOWN)
        table.add_row(kind, *(f"{share:.0%}" for share in shares))
    Console().print(table)


if __name__ == "__main__":
    asyncio.run(main())
