"""A prompt's two parts: rules of our own, and what others have written, which is never mixed in."""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib import resources
from typing import Final

from server.domain.values import JsonObject

_BEGIN: Final = "<data>"
_END: Final = "</data>"


def rules(version: str) -> str:
    """The rules of this name and version."""
    prompts = resources.files("server.adapters.gemini") / "prompts"
    return (prompts / f"{version}.txt").read_text(encoding="utf-8").strip()


def as_material(data: JsonObject) -> str:
    """The data as JSON between two marks that cannot occur in it."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    unmarked = text.replace("<", "\\u003c")
    return f"{_BEGIN}\n{unmarked}\n{_END}"


def numbered(entries: Sequence[JsonObject]) -> list[JsonObject]:
    """The entries with numbers from 1, which are all that a model can name them by."""
    return [{"number": number, **entry} for number, entry in enumerate(entries, start=1)]
