"""Types that the whole domain shares."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from typing import TypeAlias

JsonValue = None | bool | int | float | str | Sequence["JsonValue"] | Mapping[str, "JsonValue"]
"""A value of JSON, as Python's json module reads it."""

JsonObject = Mapping[str, JsonValue]
"""An object of JSON."""

Vector: TypeAlias = "array[float]"
"""An embedding: single-precision floats (`array("f", ...)`), L2-normalised."""
