"""Arbitrary memories and arbitrary valid filters, including hostile ones.

Both take their keys and values from the same small pools, so that filters often match.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Final

from hypothesis import strategies as st

from server.core.clock import new_id
from server.core.values import JsonObject, JsonValue
from server.memories.memory import Memory
from server.memories.scope import Scope
from tests.support.builders import NOW, addition, call

_HOSTILE: Final = [
    "a", "A", "ab", "ß", "SS", "é", "É", "e\u0301", "İ", "ς", "Σ", "😀", "*", "%", "_", "\\", "'",
    "''", '"', "$1", "$7::text", "--", "/*", ";", "') OR true --", "{}", "{scope}", "{filters}",
    "null", "true", "1", "[]", "\u202e", "\ufeff", "\n", " ", "AND", "NOT",
]  # fmt: skip
# Without unassigned characters, whose folding depends on the version of Unicode.
_characters = st.characters(exclude_categories=("Cs", "Cn"), exclude_characters="\0")
_any_string = st.sampled_from(_HOSTILE) | st.text(_characters, max_size=4)
_strings = st.sampled_from(["a", "A", "ß", "ss", "'"]) | _any_string
_ids = st.sampled_from(["a", "A", "b", "*", "%", "' OR 1=1 --", "é"])
_keys = st.sampled_from(["a", "b"]) | st.sampled_from(
    ["'", '"', "$1", "--", "é", "AND", "in", "0", " ", "{page}"]
)
_numbers = st.sampled_from([0, 1]) | st.one_of(
    st.sampled_from([-1, 3, 0.5, 1e22, 1e23, 2**53, -0.0, 5e-324]),
    st.floats(allow_nan=False, allow_infinity=False),
)
_scalars = _strings | _numbers | st.booleans()
_json = st.one_of(
    _scalars,
    st.lists(st.none() | _scalars | st.lists(_scalars, max_size=1), max_size=3),
    st.dictionaries(_keys, st.none() | _scalars | st.dictionaries(_keys, _scalars), max_size=2),
)
_DAYS: Final = [date(2026, 11, 22), date(2026, 11, 23), date.min, date.max]
_days = st.sampled_from(_DAYS) | st.dates()
_EDGES: Final = [
    NOW,
    datetime(2026, 11, 23, tzinfo=UTC),
    datetime(2026, 11, 22, 23, 59, 59, 999999, UTC),
]
_instants = st.sampled_from(_EDGES) | st.datetimes(timezones=st.just(UTC))


@st.composite
def memories(draw: st.DrawFn) -> Memory:
    """Draws a memory with a new id, in a project that is to be replaced."""
    parts = [draw(st.none() | _ids) for _ in range(3)]
    new_call = call(scope=Scope(draw(_ids), *parts), time=draw(_instants))
    item = addition(
        new_call,
        draw(_strings),
        metadata=draw(st.dictionaries(_keys, _json, min_size=1, max_size=3)),
        categories=draw(st.lists(_strings, max_size=3)),
        immutable=draw(st.booleans()),
        expiration_date=draw(st.none() | _days),
    )
    return replace(item.memory, id=new_id(NOW), event_time=draw(_instants))


_times = _days.map(date.isoformat) | _instants.map(lambda time: time.isoformat())
_paths = st.one_of(_keys, _keys, st.lists(_keys, min_size=2, max_size=3).map(".".join)).map(
    lambda path: f"metadata.{path}"
)
_EQUALITY: Final = ["eq", "ne"]
_ORDER: Final = ["gt", "gte", "lt", "lte"]
_PARTS: Final = ["contains", "icontains"]


def _conditions(
    fields: st.SearchStrategy[str],
    values: st.SearchStrategy[JsonValue],
    operators: list[str],
) -> st.SearchStrategy[JsonObject]:
    """Returns conditions on one of the fields, by these operators."""
    one = st.sampled_from(operators)
    whole: st.SearchStrategy[JsonObject] = st.one_of(
        st.dictionaries(one, values, min_size=1, max_size=2).filter(_looks_for_something),
        st.dictionaries(one, values, min_size=1, max_size=1).filter(_looks_for_something),
        st.fixed_dictionaries({"in": st.lists(values, min_size=1, max_size=3)}),
        st.fixed_dictionaries({"exists": st.booleans()}),
    )
    return st.dictionaries(fields, whole | values | st.just("*"), min_size=1, max_size=1)


def _looks_for_something(operators: JsonObject) -> bool:
    return all(operators.get(name) != "" for name in _PARTS)


_SCOPE: Final = ["user_id", "agent_id", "app_id", "run_id"]
_TIMED: Final = ["create_time", "event_time", "expiration_date"]
known_conditions: Final = st.one_of(
    _conditions(st.sampled_from(_SCOPE), _ids | _strings, _EQUALITY + _ORDER + _PARTS),
    _conditions(st.sampled_from(["text", "id"]), _strings, _EQUALITY + _ORDER + _PARTS),
    _conditions(st.just("categories"), _strings, _EQUALITY + _PARTS),
    _conditions(st.just("immutable"), st.booleans(), _EQUALITY),
    _conditions(st.sampled_from(_TIMED), _times, _EQUALITY + _ORDER),
)
metadata_conditions: Final = _conditions(_paths, _scalars, _EQUALITY + _ORDER + _PARTS)
_leaves = known_conditions | metadata_conditions
filters: Final[st.SearchStrategy[JsonObject]] = st.recursive(
    _leaves,
    lambda inner: st.dictionaries(
        st.sampled_from(["AND", "OR", "NOT"]),
        st.lists(inner, min_size=1, max_size=3),
        min_size=1,
        max_size=2,
    ),
    max_leaves=5,
)
