"""Finding the lines of one request in a log file of this server."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

_IDS = ("correlation_id", "correlation_ids")


def lines_of(correlation_id: str, lines: Iterable[str]) -> Iterator[Mapping[str, Any]]:
    """The events of JSON lines that name the id: as theirs, or among those of a batch.

    What is not a JSON object with a time is left out.
    """
    for line in lines:
        if correlation_id not in line:
            continue
        try:
            event = json.loads(line)
        except ValueError:
            continue
        if isinstance(event, dict) and _concerns(event, correlation_id) and _time(event):
            yield event


def time_of(event: Mapping[str, Any]) -> datetime:
    """When it was logged.

    Raises:
        ValueError: the event has no time.
    """
    time = _time(event)
    if time is None:
        raise ValueError("the event has no time")
    return time


def _concerns(event: Mapping[str, Any], correlation_id: str) -> bool:
    for key in _IDS:
        named = event.get(key, ())
        ids = named.split(",") if isinstance(named, str) else named
        if isinstance(ids, list) and correlation_id in ids:
            return True
    return False


def _time(event: Mapping[str, Any]) -> datetime | None:
    try:
        return datetime.fromisoformat(str(event.get("timestamp")))
    except ValueError:
        return None
