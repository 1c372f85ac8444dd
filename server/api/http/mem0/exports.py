"""Ids of exports, which say themselves what they export: nothing is kept until they are fetched."""

from __future__ import annotations

import base64
from typing import Any

import orjson

from server.core.errors import FieldViolation, InvalidRequest


def export_id(filters: dict[str, Any]) -> str:
    """The id of an export of these fields."""
    raw = orjson.dumps(filters, option=orjson.OPT_SORT_KEYS)
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def exported_filters(text: object) -> dict[str, Any]:
    """What an export's id says.

    Raises:
        InvalidRequest: it is no such id.
    """
    try:
        raw = base64.urlsafe_b64decode(str(text) + "=" * (-len(str(text)) % 4))
        filters = orjson.loads(raw)
    except ValueError:
        filters = None
    if not isinstance(filters, dict):
        raise InvalidRequest([FieldViolation("memory_export_id", "there is no such export")])
    return filters
