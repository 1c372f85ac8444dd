"""Answers of language models are checked before they are used."""

from __future__ import annotations

from uuid import UUID

import pytest

from server.core.errors import ExtractionFailed
from server.graph.model import Entity, Relation
from server.memories.add.entity_resolution import MAX_ENTITIES, MAX_RELATIONS
from server.memories.add.inference import (
    ProposedEntity,
    ProposedOperation,
    ProposedRelation,
)
from server.memories.add.plan import Plan
from server.memories.add.proposals import MAX_OPERATIONS, NoticeReason
from server.memories.changes import Addition, Deletion, Update
from server.memories.conversation import Role
from server.memories.memory import Evidence, fact_digest
from tests.support.plans import NEW, quotes_of, texts_of
from tests.support.proposals import (
    COFFEE,
    FIXED,
    LISBON,
    PORTO,
    operation,
    request,
    run,
)


def changes_of(found: Plan) -> list[str]:
    return texts_of(found, [PORTO, COFFEE, FIXED])


def failure(*operations: ProposedOperation) -> tuple[str, tuple[str, ...]]:
    with pytest.raises(ExtractionFailed) as caught:
        run(*operations)
    return caught.value.metadata["cause"], caught.value.problems


def test_no_proposals_make_an_empty_plan() -> None:
    assert run() == Plan(())


def test_an_add_is_planned() -> None:
    found = run(
        operation(
            text=" User moved\0 to\nLisbon ",
            categories=["Travel", "secrets", "travel", "misc"],
            entities=[ProposedEntity(" Lisbon\n", "Place"), ProposedEntity(" ")],
            relations=[ProposedRelation("User", "Lives in", "lisbon")],
        )
    )
    user, lisbon = Entity("User"), Entity("Lisbon", "place")
    assert found.changes == (
        Addition(
            memory_id=NEW,
            text="User moved to Lisbon",
            digest=fact_digest("User moved to Lisbon"),
            role=Role.USER,
            name=None,
            evidence=(Evidence(UUID(int=1), "I moved to Lisbon", len(LISBON)),),
            categories=("travel", "misc"),
            entities=(user, lisbon),
            relations=(Relation(user, "lives_in", lisbon),),
        ),
    )


def test_an_update_and_a_deletion_are_planned() -> None:
    found = run(operation("update", target=1), operation("DELETE", "", target=2))
    moved, gone = found.changes
    assert isinstance(moved, Update)
    assert (moved.memory_id, moved.version) == (PORTO.id, 1)
    assert (moved.text, quotes_of(found)) == ("User moved to Lisbon", [(1, "I moved to Lisbon")])
    assert gone == Deletion(COFFEE.id, 1)


@pytest.mark.parametrize(
    ("proposed", "problem"),
    [
        (operation("NONE"), "unknown action 'NONE'"),
        (operation("UPDATE"), "names no candidate"),
        (operation("DELETE"), "names no candidate"),
        (operation("UPDATE", target=4), "there is no candidate 4"),
        (operation("DELETE", target=0), "there is no candidate 0"),
        (operation("DELETE", target=-1), "there is no candidate -1"),
        (operation(message=0), "there is no message 0"),
        (operation(message=3), "there is no message 3"),
        (operation(message=-1), "there is no message -1"),
        (operation(text=" \0\n"), "empty text"),
        (operation(text="\ud800"), "empty text"),
        (operation("UPDATE", "", target=1), "empty text"),
        (operation("UPDATE", "\u200b\u2060", target=1), "text without a word"),
        (operation(text="..."), "text without a word"),
        (operation(text="x" * 8193), "text of 8193 characters, at most 8192 are allowed"),
    ],
)
def test_one_invalid_operation_makes_the_whole_answer_unusable(
    proposed: ProposedOperation, problem: str
) -> None:
    assert failure(operation(), proposed) == ("invalid", (f"operation 2: {problem}",))


def test_all_problems_are_listed() -> None:
    cause, problems = failure(operation("UPDATE", "", message=9), operation("?"))
    assert cause == "invalid"
    assert problems == (
        "operation 1: there is no message 9",
        "operation 1: names no candidate",
        "operation 1: empty text",
        "operation 2: unknown action '?'",
    )


def test_operations_beyond_the_limit_are_dropped_with_a_notice() -> None:
    many = [operation(text=f"fact {n}") for n in range(MAX_OPERATIONS)]
    assert run(*many).notices == ()
    found = run(*many, operation("?"), operation())
    assert [o.text for o in found.changes if isinstance(o, Addition)] == [o.text for o in many]
    [notice] = found.notices
    assert notice.reason is NoticeReason.OPERATIONS_LIMIT
    assert "202" in notice.text


def test_two_changes_of_one_candidate_are_unusable() -> None:
    assert failure(operation("UPDATE", target=1), operation("DELETE", "", target=1)) == (
        "invalid",
        ("operations 1, 2 change the same candidate",),
    )


def test_the_same_change_twice_is_one_change() -> None:
    twice = operation("UPDATE", target=1), operation("UPDATE", "user moved to lisbon.", target=1)
    assert run(*twice).changes == run(twice[0]).changes


def test_an_immutable_candidate_is_not_changed() -> None:
    found = run(operation("DELETE", "", target=3), operation("UPDATE", target=3), operation())
    assert changes_of(found) == ["ADD User moved to Lisbon"]
    assert found.dropped == (
        "operation 1: its candidate is immutable",
        "operation 2: its candidate is immutable",
    )


@pytest.mark.parametrize(
    ("quote", "stored"),
    [
        ("I MOVED to\tlisbon", "I moved to Lisbon"),
        ("my wife's name", "My wife\u2019s name"),
        ("like tea and", "like  TEA\nand"),
        (" strasse CAFE\u0301s", "Stra\u00dfe caf\u00e9s"),
        ("like tea", "like  TEA"),
        ("I\u200b moved to Lis\u00adbon", "I moved to Lisbon"),
    ],
)
def test_a_quote_is_stored_as_in_its_message(quote: str, stored: str) -> None:
    found = run(operation(quote=quote))
    assert quotes_of(found) == [(1, stored)]


def test_a_quote_is_found_among_invisible_characters() -> None:
    said = "I mo\u00adved\u200b to Lisbon."
    found = run(operation(quote="I moved to Lisbon"), given=request(said))
    assert quotes_of(found) == [(1, said.removesuffix("."))]


@pytest.mark.parametrize("quote", ["", " ", "\u200b", "I moved to Paris", "You are helpful"])
def test_a_quote_that_is_in_no_message_is_not_evidence(quote: str) -> None:
    lone = operation(quote=quote)
    assert failure(lone) == ("unsupported", ("operation 1: its quote is not in the message",))
    found = run(lone, operation(text="User likes tea"))
    assert quotes_of(found) == [(1, "I moved to Lisbon")]
    assert found.dropped == ("operation 1: its quote is not in the message",)


def test_no_fact_comes_from_a_system_message() -> None:
    assert failure(operation(message=1)) == (
        "unsupported",
        ("operation 1: rests on a system message",),
    )


def test_repeated_facts_are_merged() -> None:
    found = run(
        operation(categories=["travel"], entities=[ProposedEntity("Lisbon")]),
        operation(text="user moved to LISBON.", categories=["misc"], quote="I like tea"),
        operation(entities=[ProposedEntity("lisbon", "place")]),
    )
    [added] = found.changes
    assert isinstance(added, Addition)
    assert (added.text, quotes_of(found)) == ("User moved to Lisbon", [(1, "I moved to Lisbon")])
    assert added.categories == ("travel", "misc")
    assert added.entities == (Entity("Lisbon", "place"),)


def test_a_known_fact_is_not_added() -> None:
    found = run(operation(text="user lives in porto."))
    assert (found.changes, found.dropped) == ((), ("operation 1: changes nothing",))
    # Its evidence counts only for the existing memory with the same text.
    assert [passage.text for passage in found.evidence] == ["I moved to Lisbon"]


def test_an_update_to_its_own_text_changes_nothing() -> None:
    assert run(operation("UPDATE", "User lives in Porto.", target=1)).changes == ()


def test_an_update_to_the_text_of_an_unchanged_candidate_is_a_deletion() -> None:
    found = run(
        operation("UPDATE", PORTO.text, target=1), operation("UPDATE", PORTO.text, target=2)
    )
    assert found.changes == (Deletion(COFFEE.id, 1),)


def test_a_memory_whose_text_is_added_again_is_not_deleted() -> None:
    gone_and_back = operation("DELETE", "", target=1), operation(text="User lives in Porto")
    assert run(*gone_and_back).changes == ()


def test_an_update_to_the_text_of_another_memory_is_a_deletion() -> None:
    found = run(operation("UPDATE", "User likes coffee", target=1))
    assert found.changes == (Deletion(PORTO.id, 1),)


def test_two_updates_to_one_fact_leave_one_memory() -> None:
    found = run(operation("UPDATE", target=1), operation("UPDATE", target=2), operation())
    assert changes_of(found) == [
        "UPDATE User lives in Porto -> User moved to Lisbon",
        "DELETE User likes coffee",
    ]


def test_an_update_that_contradicts_another_is_dropped() -> None:
    found = run(operation("UPDATE", target=1), operation("UPDATE", PORTO.text, target=2))
    assert changes_of(found) == ["UPDATE User lives in Porto -> User moved to Lisbon"]


def test_relations_are_cleaned() -> None:
    found = run(
        operation(
            text="Anna works at Acme",
            entities=[ProposedEntity("Anna", "person"), ProposedEntity("ANNA", "robot")],
            relations=[
                ProposedRelation("anna", "Works-At", "Acme"),
                ProposedRelation("Anna", "works at", "ACME"),
                ProposedRelation("Anna", "is", " anna "),
                ProposedRelation("Anna", "--", "Acme"),
                ProposedRelation("", "knows", "Acme"),
            ],
        )
    )
    (added,) = found.changes
    assert isinstance(added, Addition)
    assert added.relations == (Relation(Entity("Anna", "person"), "works_at", Entity("Acme")),)
    assert added.entities == (Entity("Anna", "person"), Entity("Acme"))


def test_the_numbers_of_entities_and_relations_are_limited() -> None:
    pairs = " ".join(f"a{n} b{n}" for n in range(60))
    found = run(
        operation(
            text=f"x {pairs}",
            entities=[ProposedEntity(f"named {n}") for n in range(60)],
            relations=[ProposedRelation("User", f"r{n}", "x") for n in range(60)]
            + [ProposedRelation(f"a{n}", "r", f"b{n}") for n in range(60)],
        ),
        operation(
            text=pairs,
            relations=[ProposedRelation(f"a{n}", "r", f"b{n}") for n in range(60)],
        ),
    )
    first, second = found.changes
    assert isinstance(first, Addition)
    assert isinstance(second, Addition)
    assert (len(first.entities), len(first.relations)) == (MAX_ENTITIES, MAX_RELATIONS)
    assert (len(second.entities), len(second.relations)) == (MAX_ENTITIES, MAX_ENTITIES // 2)
