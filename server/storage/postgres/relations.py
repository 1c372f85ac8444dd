"""What the statements on relations share: which relations are functional, as parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from server.graph.project.supersession import FUNCTIONAL_PREFIXES, FUNCTIONAL_RELATIONS

FUNCTIONAL: Final[Mapping[str, Sequence[str]]] = {
    "functional": sorted(FUNCTIONAL_RELATIONS),
    "functional_patterns": [prefix.replace("_", r"\_") + "%" for prefix in FUNCTIONAL_PREFIXES],
}
"""The parameters of the block `is_functional` in relations.sql."""
