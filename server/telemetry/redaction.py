"""Keeps secrets out of the logs."""

from __future__ import annotations

import re
from collections.abc import Mapping, MutableMapping
from functools import lru_cache
from typing import Any

REDACTED = "[redacted]"
_SECRET_KEY = re.compile(
    r"(^|[_.-])(authorization|api[_-]?key|password|passwd|secret|dsn|credentials?|cookie)s?($|[_.-])",
    re.IGNORECASE,
)
_MAX_DEPTH = 6
_PLAIN = (str, int, float)


def redact(_logger: object, _name: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
    """A structlog processor: hides the values of keys that name secrets, nested ones too."""
    for key, value in event.items():
        if not isinstance(value, _PLAIN) or _names_secret(key):
            event[key] = _redacted(key, value, _MAX_DEPTH)
    return event


def _redacted(key: str, value: object, levels: int) -> object:
    if _names_secret(key):
        return REDACTED
    if isinstance(value, _PLAIN) or not levels:
        return value
    if isinstance(value, Mapping):
        texts = {str(inner): item for inner, item in value.items()}
        return {inner: _redacted(inner, item, levels - 1) for inner, item in texts.items()}
    if isinstance(value, list | tuple):
        return [_redacted("", item, levels - 1) for item in value]
    return value


@lru_cache(maxsize=1024)
def _names_secret(key: str) -> bool:
    return _SECRET_KEY.search(key) is not None
