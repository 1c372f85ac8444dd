"""The results of filters, field by field and operator by operator.

There are two memories: one with every field, and one without the optional fields.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Final
from uuid import UUID

from server.core.values import JsonObject
from server.memories.memory import Memory
from server.memories.scope import Scope
from tests.support.builders import NOW, addition, call

FULL: Final = replace(
    addition(
        call(scope=Scope("alice", "agent-1", "app-1", "run-1")),
        "Alice drinks Tea in Weißenburg, 100% 'pure'",
        categories=["food", "Health"],
        immutable=True,
        expiration_date=date(2026, 12, 31),
        metadata={
            "color": "Red",
            "size": 3,
            "ratio": 0.5,
            "new": True,
            "nothing": None,
            "tags": ["Blue", 7, True, None, ["inner"], {"key": "inner"}],
            "at": {"home": {"room": "attic"}},
        },
    ).memory,
    # Fixed, because names of tests contain it.
    id=UUID("01a20846-fe00-7d31-8000-5c1d7f8b6f1c"),
    event_time=NOW - timedelta(days=2),
    # Late enough to be another day in most time zones, but not in UTC.
    update_time=NOW + timedelta(hours=11),
)
BARE: Final = replace(
    addition(call(scope=Scope(run_id="run-2"), time=NOW - timedelta(days=9)), "Zebra").memory,
    id=UUID("01a1d9ed-c200-7fb3-909c-83e9b36a79d4"),
    event_time=NOW - timedelta(days=9),
    update_time=NOW - timedelta(days=9),
)


def _only(memories: str, *filters: JsonObject) -> list[tuple[JsonObject, str]]:
    return [(each, memories) for each in filters]


_STRINGS = {
    "user_id": "alice",
    "agent_id": "agent-1",
    "app_id": "app-1",
    "metadata.color": "Red",
    "metadata.at.home.room": "attic",
}


def _of_a_string(field: str, value: str) -> list[tuple[JsonObject, str]]:
    """Returns the cases of a string field that only the full memory has."""
    return [
        *_only(
            "full",
            {field: value},
            {field: {"eq": value}},
            {field: {"in": ["x", value]}},
            {field: {"gt": value[:-1]}},
            {field: {"gte": value}},
            {field: {"lt": value + "a"}},
            {field: {"lte": value}},
            {field: {"contains": value[1:]}},
            {field: {"icontains": value[1:].upper()}},
            {field: {"exists": True}},
            {field: "*"},
            {"NOT": [{field: {"exists": False}}]},
        ),
        *_only(
            "none",
            {field: value + "x"},
            {field: {"eq": "*"}},
            {field: {"in": ["x", value.upper() + "Y"]}},
            {field: {"gt": value}},
            {field: {"lt": value}},
            {field: {"contains": "%"}},
            {field: {"icontains": "_"}},
        ),
        *_only(
            "bare",
            {field: {"ne": value}},
            {field: {"exists": False}},
            {"NOT": [{field: "*"}]},
            {"NOT": [{field: {"gt": ""}}]},
            {"NOT": [{field: {"contains": value[1:]}}]},
        ),
        *_only("full bare", {field: {"ne": "other"}}, {"NOT": {field: "other"}}),
    ]


def _of_metadata(field: str, value: str) -> list[tuple[JsonObject, str]]:
    """Returns the cases of a string in the metadata, where another type does not match."""
    return [
        *_only("full", {field: {"in": ["x", value, 1]}}),
        *_only(
            "none",
            {field: 1},
            {field: {"in": [1, True]}},
            {field: {"gt": 0}},
            {field: {"lte": True}},
            {field: {"contains": 1}},
            {field: {"icontains": True}},
        ),
        *_only("full bare", {field: {"ne": 1}}, {"NOT": {field: 1}}),
    ]


_TIMES = {
    "create_time": "2026-11-23T12:00:00Z",
    "update_time": "2026-11-23T23:00:00Z",
    "event_time": "2026-11-21T12:00:00Z",
}


def _of_a_time(field: str, time: str) -> list[tuple[JsonObject, str]]:
    day = time[:10]
    return [
        *_only(
            "full",
            {field: time},
            {field: day},
            {field: {"in": ["2001-01-01", time]}},
            {field: {"in": ["2001-01-01", day]}},
            {field: {"gte": time}},
            {field: {"gte": day}},
            {field: {"gt": time.replace(":00Z", ":00+01:00")}},
            {field: {"gte": day, "lte": day}},
        ),
        *_only("bare", {field: {"lt": time}}, {field: {"lt": day}}, {field: {"ne": time}}),
        *_only("full bare", {field: {"lte": time}}, {field: {"lte": day}}, {field: "*"}),
        *_only("full bare", {field: {"exists": True}}, {field: {"ne": "2001-01-01"}}),
        *_only("none", {field: {"gt": time}}, {field: {"gt": day}}, {field: {"exists": False}}),
    ]


_OTHERS = [
    # id and run_id, which both memories have
    *_only("full", {"id": str(FULL.id)}, {"id": {"in": [str(FULL.id).upper(), "x"]}}),
    *_only("full", {"id": {"gte": str(FULL.id)}}, {"id": {"contains": str(FULL.id)[20:]}}),
    *_only("bare", {"id": {"ne": str(FULL.id)}}, {"id": {"icontains": str(BARE.id).upper()}}),
    *_only("none", {"id": FULL.id.hex}, {"id": f"{{{FULL.id}}}"}, {"id": {"lt": "0"}}),
    *_only("full bare", {"id": "*"}, {"id": {"exists": True}}, {"id": {"ne": "not an id"}}),
    *_only("full", {"run_id": "run-1"}, {"run_id": {"lt": "run-2"}}),
    *_only("full bare", {"run_id": {"in": ["run-1", "run-2"]}}, {"run_id": {"contains": "-"}}),
    # text
    *_only("full", {"text": {"contains": "Tea"}}, {"text": {"contains": "100% 'p"}}),
    *_only("full", {"text": {"icontains": "WEISSENBURG"}}, {"text": {"icontains": "tEA"}}),
    *_only("full", {"text": {"lt": "B"}}, {"text": {"lte": FULL.text}}),
    *_only("bare", {"text": "Zebra"}, {"text": {"gt": "Alice z"}}, {"text": {"ne": FULL.text}}),
    *_only("none", {"text": "zebra"}, {"text": {"contains": "tea"}}, {"text": {"contains": "_"}}),
    *_only("none", {"text": {"exists": False}}, {"text": {"gt": "a"}}),
    # categories: one of them
    *_only("full", {"categories": "food"}, {"categories": {"in": ["x", "food"]}}),
    *_only("full", {"categories": {"contains": "Health"}}, {"categories": "*"}),
    *_only("full", {"categories": {"icontains": "HEALTH"}}, {"categories": {"exists": True}}),
    *_only("bare", {"categories": {"ne": "food"}}, {"categories": {"exists": False}}),
    *_only("none", {"categories": "health"}, {"categories": {"contains": "Heal"}}),
    *_only("none", {"categories": {"icontains": "heal"}}),
    *_only("full bare", {"categories": {"ne": "travel"}}),
    # immutable, which both memories have
    *_only(
        "full", {"immutable": True}, {"immutable": {"ne": False}}, {"immutable": {"in": [True]}}
    ),
    *_only("bare", {"immutable": False}, {"immutable": {"ne": True}}),
    *_only("full bare", {"immutable": {"in": [True, False]}}, {"immutable": "*"}),
    *_only("none", {"immutable": {"exists": False}}),
    # expiration_date
    *_only("full", {"expiration_date": "2026-12-31"}, {"expiration_date": {"gt": "2026-12-30"}}),
    *_only("full", {"expiration_date": {"gte": "2026-12-31"}}, {"expiration_date": "*"}),
    *_only("full", {"expiration_date": {"lt": "2027-01-01"}}),
    *_only("full", {"expiration_date": {"lte": "2026-12-31T00:00:00Z"}}),
    *_only("full", {"expiration_date": {"in": ["2026-12-31", "2020-01-01"]}}),
    *_only("bare", {"expiration_date": {"ne": "2026-12-31"}}),
    *_only("bare", {"expiration_date": {"exists": False}}, {"NOT": {"expiration_date": "*"}}),
    *_only("none", {"expiration_date": {"gt": "2026-12-31"}}),
    *_only("none", {"expiration_date": {"lt": "2026-12-31"}}),
    *_only("full bare", {"expiration_date": {"ne": "2026-01-01"}}),
    # metadata that is a number, a boolean or null
    *_only("full", {"metadata.size": 3}, {"metadata.size": 3.0}, {"metadata.size": {"in": [3]}}),
    *_only("full", {"metadata.size": {"gt": 2.5}}, {"metadata.size": {"gte": 3, "lt": 20}}),
    *_only("full", {"metadata.ratio": 0.5}, {"metadata.ratio": {"lte": 0.5}}),
    *_only("full", {"metadata.new": True}, {"metadata.new": {"in": [False, True]}}),
    *_only("full", {"metadata.nothing": {"exists": True}}, {"metadata.tags": "*"}),
    *_only("bare", {"metadata.size": {"ne": 3}}, {"NOT": {"metadata.size": {"lt": 9}}}),
    *_only("bare", {"metadata.nothing": {"exists": False}}),
    *_only("none", {"metadata.size": "3"}, {"metadata.size": {"gt": "2"}}),
    *_only("none", {"metadata.size": {"contains": 3}}, {"metadata.size": {"in": ["3", True]}}),
    *_only("none", {"metadata.color": {"gt": 1}}, {"metadata.new": 1}, {"metadata.new": "true"}),
    *_only("none", {"metadata.new": {"gt": 0}}, {"metadata.new": {"lte": True}}),
    *_only("none", {"metadata.nothing": "*"}, {"metadata.nothing": {"lt": 1}}),
    *_only("none", {"metadata.nothing": "null"}, {"metadata.nothing": {"contains": "n"}}),
    *_only("full bare", {"metadata.size": {"ne": "3"}}, {"metadata.nothing": {"ne": 1}}),
    # metadata that is a list or an object
    *_only("full", {"metadata.tags": {"contains": "Blue"}}, {"metadata.tags": {"contains": 7}}),
    *_only("full", {"metadata.tags": {"contains": True}}, {"metadata.at.home": {"exists": True}}),
    *_only("full", {"metadata.tags": {"icontains": "bLUE"}}, {"metadata.at": "*"}),
    *_only("none", {"metadata.tags": {"contains": "Blu"}}, {"metadata.tags": {"contains": "7"}}),
    *_only("none", {"metadata.tags": {"icontains": "blu"}}, {"metadata.tags": "Blue"}),
    *_only("none", {"metadata.tags": {"contains": "inner"}}, {"metadata.tags": {"in": ["Blue"]}}),
    *_only("none", {"metadata.tags.0": "Blue"}, {"metadata.tags.0": {"exists": True}}),
    *_only("none", {"metadata.tags.5.key": "inner"}, {"metadata.tags": {"gt": "A"}}),
    *_only("none", {"metadata.at": "home"}, {"metadata.at": {"contains": "home"}}),
    *_only("none", {"metadata.at": {"icontains": "home"}}, {"metadata.color.x": {"exists": True}}),
    # AND, OR, NOT
    *_only("full bare", {"OR": [{"user_id": "alice"}, {"run_id": "run-2"}]}),
    *_only("none", {"AND": [{"user_id": "alice"}, {"run_id": "run-2"}]}),
    *_only("none", {"user_id": "alice", "run_id": "run-2"}),
    *_only("none", {"NOT": [{"user_id": "alice"}, {"run_id": "run-2"}]}),
    *_only("bare", {"NOT": [{"user_id": "alice"}, {"app_id": {"gt": ""}}]}),
    *_only("full", {"OR": [{"user_id": "x"}, {"NOT": [{"NOT": [{"user_id": {"gt": "a"}}]}]}]}),
    *_only("bare", {"OR": [{"user_id": "alice", "run_id": "x"}, {"user_id": {"exists": False}}]}),
    *_only("full", {"NOT": {"OR": [{"agent_id": {"ne": "agent-1"}}, {"user_id": "bob"}]}}),
]

CASES: Final = [
    *(case for field, value in _STRINGS.items() for case in _of_a_string(field, value)),
    *(
        case
        for field, value in _STRINGS.items()
        if field.startswith("metadata.")
        for case in _of_metadata(field, value)
    ),
    *(case for field, time in _TIMES.items() for case in _of_a_time(field, time)),
    *_OTHERS,
]


def named(memories: list[Memory]) -> str:
    """Returns the name that the cases use for this list of memories."""
    ids = {memory.id for memory in memories}
    return " ".join(n for n, m in (("full", FULL), ("bare", BARE)) if m.id in ids) or "none"
