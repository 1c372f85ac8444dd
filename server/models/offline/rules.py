"""What clauses state and end, by their verbs and the words after these, from `rules.toml`."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from server.models.offline.lexicon import compiled, data_file, listed, stems


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule of the file; its fields are described there."""

    kind: str
    relations: Sequence[str]
    type: str
    is_named: bool
    is_passive: bool
    lead: re.Pattern[str]
    rest: re.Pattern[str]
    over: re.Pattern[str] | None


def rules(table: str) -> Mapping[str, Sequence[Rule]]:
    """The rules of a table by the stems of their verbs."""
    found = defaultdict(list)
    for row in data_file("rules")[table]:
        verbs = " ".join(listed(row["list"])) if "list" in row else row["verbs"]
        for stem in stems(verbs):
            found[stem].append(_rule(row))
    return found


def _rule(row: Mapping[str, Any]) -> Rule:
    return Rule(
        kind=row.get("kind", ""),
        relations=row.get("relations", "").split(),
        type=row.get("type", ""),
        is_named="named" in row,
        is_passive="passive" in row,
        lead=compiled(row.get("lead", ".*")),
        rest=compiled(row.get("rest", "")),
        over=compiled(row["over"]) if "over" in row else None,
    )
