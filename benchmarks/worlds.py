"""Invented people, companies and cities, with facts and questions about them."""

from __future__ import annotations

import random
from dataclasses import dataclass

from server.graph.model import Entity, Relation

FIRST = (
    *("Ada", "Bela", "Ciro", "Dana", "Edvin", "Fara", "Goran", "Hedda"),
    *("Ilse", "Jonas", "Kaia", "Lorin", "Mirja", "Nuno", "Orla", "Piet"),
)
LAST = (
    *("Aldren", "Brask", "Corvin", "Dulac", "Estrem", "Falk"),
    *("Grosz", "Hollis", "Ivers", "Jarno", "Kessel", "Lund"),
)
COMPANY = (
    *("Amberline", "Brightwell", "Coldforge", "Dunmore"),
    *("Elsinor", "Fernhill", "Greywater", "Halcyon"),
)
CITY = ("Arvik", "Belmora", "Castene", "Dorhaven", "Elvas", "Fjorda")
HOBBY = (
    *("fencing", "pottery", "sailing", "origami"),
    *("archery", "falconry", "calligraphy", "bouldering"),
)


@dataclass(frozen=True, slots=True)
class Fact:
    """A memory with its relations."""

    text: str
    relations: tuple[Relation, ...] = ()


@dataclass(frozen=True, slots=True)
class Question:
    """A question, its kind, and the text that answers it."""

    text: str
    kind: str
    evidence: str


@dataclass(frozen=True, slots=True)
class World:
    """The facts and the questions of one user."""

    facts: list[Fact]
    questions: list[Question]


def invent(chance: random.Random) -> World:
    """Returns a world of 30 people, 8 companies and 6 cities, with facts in random order."""
    people = [f"{first} {last}" for first in FIRST for last in LAST]
    people = chance.sample(people, 30)
    at = {person: chance.choice(COMPANY) for person in people}
    seat = {company: chance.choice(CITY) for company in COMPANY}
    couples = list(zip(people[0:20:2], people[1:20:2], strict=True))
    jobs = {p: _fact(f"{p} is employed at {c}.", p, "employed_by", c) for p, c in at.items()}
    seats = {
        c: _fact(f"The headquarters of {c} are in {city}.", c, "headquartered_in", city)
        for c, city in seat.items()
    }
    facts = [
        *jobs.values(),
        *seats.values(),
        *(_fact(f"{a} is married to {b}.", a, "married_to", b) for a, b in couples),
        *(_liking(person, chance.choice(HOBBY)) for person in people),
        *(Fact(f"Someone asked which city to visit on trip {number}.") for number in range(10)),
        *(Fact(f"The commute on day {number} to the office was long.") for number in range(10)),
    ]
    chance.shuffle(facts)
    questions = [
        question
        for a, b in couples
        for question in (
            Question(f"Which city is the commute of {a} to?", "multi-hop: city", seats[at[a]].text),
            Question(f"What job does the wife of {a} do?", "multi-hop: spouse", jobs[b].text),
            Question(f"Where is {a} employed?", "direct", jobs[a].text),
        )
    ]
    return World(facts, questions)


def _liking(person: str, hobby: str) -> Fact:
    return _fact(f"{person} has taken up {hobby}.", person, "likes", hobby)


def _fact(text: str, source: str, relation: str, target: str) -> Fact:
    return Fact(text, (Relation(Entity(source), relation, Entity(target)),))
