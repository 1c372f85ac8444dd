"""Each rule reads the sentence beside it in `rules.toml`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.resources import files
from typing import Any

import pytest

from server.core.patterns import data_file
from server.models.offline.facts import Fact
from server.models.offline.lexicon import pattern
from server.models.offline.reading import facts_of
from server.models.offline.rewriting import Speaker

_HEAD = re.compile(r"^\[\[(\w+)\]\](?:  # (.+))?$", re.MULTILINE)


def examples() -> Iterator[tuple[str, dict[str, Any], str]]:
    """Yields the table, the rule and its sentence."""
    text = files("server.models.offline").joinpath("rules.toml").read_text(encoding="utf-8")
    tables = {
        name: iter(rows) for name, rows in data_file("server.models.offline", "rules").items()
    }
    for head in _HEAD.finditer(text):
        yield head[1], next(tables[head[1]]), head[2]


@pytest.mark.parametrize(("table", "rule", "sentence"), list(examples()))
def test_a_rule_reads_its_sentence(table: str, rule: dict[str, Any], sentence: str) -> None:
    (fact,) = facts_of(sentence, Speaker("User"))

    relations = set(rule.get("relations", "").split())
    if table == "ending":
        assert _ends(fact, rule)
        assert relations <= fact.ending.relations
    else:
        assert relations <= {relation.relation for relation in fact.relations}


def _ends(fact: Fact, rule: dict[str, Any]) -> bool:
    """Whether the fact ends what the rule says, and by a rule for what is over, if it is one."""
    over = [found.over for found in fact.ending.over]
    is_over = "over" not in rule or pattern.compiled(rule["over"]) in over
    return is_over and rule.get("kind", "") in {"", *fact.ending.kinds}
