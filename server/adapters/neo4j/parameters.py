"""How statements are given their parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def given(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters as one map, the parameter `$given`.

    Neo4j keeps a statement's plan by the types of its parameters, by the magnitudes of texts and
    lists too, and to plan one again takes longer than searches wait. Of a map it knows no more than
    that it is one.
    """
    return {"given": dict(parameters)}
