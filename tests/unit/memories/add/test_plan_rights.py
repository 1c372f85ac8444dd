"""Which speakers may change a memory, and to whom a statement belongs."""

from __future__ import annotations

from dataclasses import replace

import pytest

from server.graph.model import Entity, Relation
from server.memories.add.inference import Candidate
from server.memories.add.proposals import NoticeReason
from server.memories.changes import Addition
from server.memories.conversation import Message, Role
from tests.support.plans import assistant, held, planned, proposed, texts_of, tool, user

SAID = "I moved to Bonn and I sold the boat."
[HOME] = held("User lives in Oslo")
LEAS = held("Lea lives in Oslo", name="Lea")[0]
OF_ASSISTANT = held("Assistant recommended the train", role=Role.ASSISTANT)[0]
BY_LEA_OF_MAX = held("Max lives in Oslo", name="Lea")[0]
RELATED = replace(
    held("The butcher lives in Oslo", name="Lea")[0],
    relations=[Relation(Entity("Max"), "lives_in", Entity("Oslo"))],
)
UNKNOWN = held("Lives in Oslo", role=None)[0]


@pytest.mark.parametrize(
    ("speaker", "candidate"),
    [
        (user(SAID), HOME),
        (user(SAID), LEAS),
        (user(SAID), OF_ASSISTANT),
        (user(SAID, "Lea"), LEAS),
        (user(SAID, "LEA"), LEAS),
        (user(SAID, "Lea"), OF_ASSISTANT),
        (user(SAID, "Lea"), UNKNOWN),
        (user(SAID, "Lea"), BY_LEA_OF_MAX),
        (user(SAID, "Max"), BY_LEA_OF_MAX),
        (user(SAID, "Max"), RELATED),
    ],
)
@pytest.mark.parametrize("action", ["UPDATE", "DELETE", "FORGET"])
def test_these_speakers_may_change_a_memory(
    speaker: Message, candidate: Candidate, action: str
) -> None:
    text = f"{speaker.name or 'User'} lives in Bonn"
    result = planned([speaker], [proposed(action, "moved to Bonn", text, target=1)], [candidate])
    assert len(result.changes) == 1
    assert result.notices == ()


@pytest.mark.parametrize(
    ("speaker", "candidate"),
    [
        (user(SAID, "Max"), HOME),
        (user(SAID, "Max"), LEAS),
        (user(SAID, "Le"), LEAS),
        (user(SAID, "Oslo"), BY_LEA_OF_MAX),
        (assistant(SAID), HOME),
        (assistant(SAID), OF_ASSISTANT),
        (assistant(SAID, "Lea"), LEAS),
        (tool(SAID), HOME),
        (tool(SAID), UNKNOWN),
    ],
)
@pytest.mark.parametrize("action", ["UPDATE", "DELETE", "FORGET"])
def test_these_speakers_may_not_change_a_memory(
    speaker: Message, candidate: Candidate, action: str
) -> None:
    proposal = proposed(action, "moved to Bonn", "Assistant moved to Bonn", target=1)
    result = planned([speaker], [proposal], [candidate])
    assert result.changes == ()
    assert [notice.reason for notice in result.notices] == [NoticeReason.NOT_PERMITTED]


def test_an_update_keeps_its_subject() -> None:
    of_lea = replace(held("Lea lives in Oslo")[0], entities=[Entity("Lea", "person")])
    proposal = proposed("UPDATE", "moved to Bonn", "User lives in Bonn", target=1)
    result = planned([user(SAID)], [proposal], [of_lea])
    assert result.changes == ()
    assert [notice.reason for notice in result.notices] == [NoticeReason.NOT_PERMITTED]
    for text in ("Lea lives in Bonn", "User's friend Lea lives in Bonn", "She lives in Bonn"):
        assert planned([user(SAID)], [replace(proposal, text=text)], [of_lea]).changes


@pytest.mark.parametrize(
    ("speaker", "text"),
    [
        (assistant(SAID), "User moved to Bonn"),
        (assistant(SAID), "The user moved to Bonn"),
        (assistant(SAID), "Moved to Bonn"),
        (assistant(SAID), "Assistants moved to Bonn"),
        (assistant(SAID, "Bo"), "Bonn is where the user moved"),
        (tool(SAID), "User moved to Bonn"),
        (tool(SAID), "Assistant moved to Bonn"),
    ],
)
def test_no_fact_of_a_user_comes_from_an_assistant_or_a_tool(speaker: Message, text: str) -> None:
    result = planned([speaker], [proposed("ADD", "I moved to Bonn", text)])
    assert result.changes == ()
    assert [notice.reason for notice in result.notices] == [NoticeReason.NOT_OWN_TEXT]


@pytest.mark.parametrize(
    ("speaker", "text"),
    [
        (assistant(SAID), "The assistant sold the boat"),
        (assistant(SAID), "assistant: sold the boat"),
        (assistant(SAID, "Bo"), "Bo sold the boat"),
        (assistant(SAID, "Bo"), "Assistant Bo sold the boat"),
        (tool(SAID), "Tool sold the boat"),
    ],
)
def test_a_statement_of_an_assistant_or_a_tool_names_its_speaker(
    speaker: Message, text: str
) -> None:
    result = planned([speaker], [proposed("ADD", "I sold the boat", text)])
    assert texts_of(result) == [f"ADD {text}"]


def test_statements_of_an_assistant_have_no_relations_of_a_user() -> None:
    proposal = proposed(
        "ADD",
        "You live in Bonn",
        "Assistant said where the user lives",
        message=2,
        relations=[
            ("user", "lives_in", "Bonn"),
            ("The User", "lives_in", "Bonn"),
            ("LEA", "lives_in", "Bonn"),
            ("Assistant", "told", "Bonn"),
        ],
    )
    result = planned([user("Where am I?", "Lea"), assistant("You live in Bonn.")], [proposal])
    [added] = result.changes
    assert isinstance(added, Addition)
    assert [relation.source.name for relation in added.relations] == ["Assistant"]


def test_a_fact_is_not_attributed_to_another_speaker() -> None:
    messages = [user("I am vegan.", "Lea"), user("I am a butcher, unlike Ana.", "Max")]
    result = planned(
        messages,
        [
            proposed("ADD", "I am vegan", "Max is vegan", message=1),
            proposed("ADD", "I am vegan", "Lea is vegan", message=1),
            proposed("ADD", "I am a butcher", "Lea is a butcher", message=2),
            proposed("ADD", "I am a butcher", "Max is a butcher", message=2),
            proposed("ADD", "unlike Ana", "Ana is no butcher", message=2),
        ],
    )
    assert texts_of(result) == ["ADD Lea is vegan", "ADD Max is a butcher", "ADD Ana is no butcher"]
    assert [notice.reason for notice in result.notices] == [NoticeReason.NO_EVIDENCE]


def test_a_speaker_may_state_facts_about_another_one_by_name() -> None:
    messages = [user("Hi all!", "Lea"), user("Lea plays the cello.", "Max")]
    result = planned(
        messages, [proposed("ADD", messages[1].content or "", "Lea plays the cello", message=2)]
    )
    assert texts_of(result) == ["ADD Lea plays the cello"]
