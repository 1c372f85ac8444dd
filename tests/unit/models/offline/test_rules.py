"""Each rule for what ends reads the sentence beside it in `rules.toml`."""

from __future__ import annotations

import re
from importlib.resources import files

import pytest

from server.models.offline.effects import is_event
from server.models.offline.facts import Speaker, facts_of

RULES = files("server.models.offline").joinpath("rules.toml").read_text(encoding="utf-8")
SENTENCES = re.findall(r"^\[\[ending\]\]  # (.+)$", RULES, re.MULTILINE)


def test_each_rule_has_a_sentence() -> None:
    assert len(SENTENCES) == RULES.count("\n[[ending]]") > 0


@pytest.mark.parametrize("sentence", SENTENCES)
def test_a_rule_reads_its_sentence(sentence: str) -> None:
    (fact,) = facts_of(sentence, Speaker("User"))
    assert is_event(fact)
