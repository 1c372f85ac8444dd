"""What is said around a message counts in searches, and facts are ranked where they were said."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from server.core.clock import new_id
from server.memories.changes import Deletion
from server.memories.filters.parser import parse_filter
from server.memories.memory import Evidence
from server.memories.ports import MemoryStore
from server.memories.scope import Scope
from server.memories.search.ranking import (
    CONTEXT_SHARE,
    FAR_SHARE,
    REACH,
    SITTING,
)
from server.storage.postgres.pool import Database
from tests.support.builders import (
    NOW,
    NewMemory,
    addition,
    call,
    change_set,
    revision,
)
from tests.support.passages import add_passages, passages
from tests.support.searches import (
    SCOPE_SIZES,
    add,
    bm25,
    lexical,
    query,
    store_of,
)


@pytest.fixture(params=SCOPE_SIZES)
def store(request: pytest.FixtureRequest, database: Database) -> MemoryStore:
    return store_of(request.param, database)


async def test_messages_lend_to_those_around_them(store: MemoryStore) -> None:
    texts = ["one", "harbour", "two", "three"]
    await add(store, *texts, verbatim=True)
    found = await lexical(store, "harbour")
    own = bm25(["harbour"], texts)["harbour"]
    lent = own * CONTEXT_SHARE
    far = own * FAR_SHARE
    assert found == pytest.approx({"one": lent, "harbour": own, "two": lent, "three": far})


async def test_a_message_lends_to_a_limited_number_of_characters(store: MemoryStore) -> None:
    page = "page " * (REACH // 5)
    await add(store, "far", "near", "harbour", f"{page}1", f"{page}2", "beyond", verbatim=True)
    assert set(await lexical(store, "harbour")) == {"far", "near", "harbour", f"{page}1"}


async def test_a_long_message_lends_only_to_its_direct_neighbours(store: MemoryStore) -> None:
    page = "harbour " + "page " * (REACH // 5)
    await add(store, "far", "near", page, "next", "further", verbatim=True)
    assert set(await lexical(store, "harbour")) == {"near", page, "next"}


async def test_nothing_is_lent_from_one_sitting_to_another(store: MemoryStore) -> None:
    pause = int(SITTING.total_seconds() / 60) + 1
    await add(store, "evening", verbatim=True)
    await add(store, "harbour", "morning", verbatim=True, minute=pause)
    assert set(await lexical(store, "harbour")) == {"harbour", "morning"}


async def test_context_from_both_sides_adds_up_as_independent_reasons(store: MemoryStore) -> None:
    texts = ["the old harbour", "yes", "a harbour"]
    await add(store, *texts, verbatim=True)
    own = bm25(["harbour"], texts)
    missed = math.prod(1 - CONTEXT_SHARE * score for score in own.values())
    assert (await lexical(store, "harbour"))["yes"] == pytest.approx(1 - missed)


async def test_context_reaches_over_calls_in_the_order_of_time(store: MemoryStore) -> None:
    await add(store, "later", verbatim=True, minute=2)
    await add(store, "harbour", verbatim=True, minute=1)
    await add(store, "first", "earlier", verbatim=True)
    assert set(await lexical(store, "harbour")) == {"first", "earlier", "harbour", "later"}


async def test_items_without_a_known_message_share_no_scores(store: MemoryStore) -> None:
    await add(store, "one", "harbour", "two")
    await add(store, "said", verbatim=True)
    assert set(await lexical(store, "harbour")) == {"harbour"}


@pytest.mark.parametrize("time", [None, NOW + timedelta(hours=1)], ids=["now", "past"])
async def test_facts_have_the_place_of_their_message_in_the_conversation(
    store: MemoryStore, time: datetime | None
) -> None:
    asked, moved, settled = (new_id(NOW, ordinal) for ordinal in range(3))
    facts = [
        # Facts need not come in the order of their messages.
        addition(call(), "They like it there", evidence=[Evidence(settled, "")]),
        addition(call(), "Where they live", evidence=[Evidence(asked, "")]),
        addition(call(), "A house at the harbour", evidence=[Evidence(moved, "")]),
        addition(call(), "They are two"),
    ]
    await add_passages(store, passages(), added=facts)
    await add(store, "what next", verbatim=True, minute=1)
    found = await lexical(store, "harbour", time=time)
    own = found.pop("A house at the harbour")
    near, far = own * CONTEXT_SHARE, own * FAR_SHARE
    assert found == pytest.approx(
        {"They like it there": near, "Where they live": near, "what next": far}
    )


@pytest.mark.parametrize("time", [None, NOW + timedelta(hours=1)], ids=["now", "past"])
async def test_a_fact_is_as_long_as_its_message(store: MemoryStore, time: datetime | None) -> None:
    texts = "red and a car", "boats are green"
    cited = [Evidence(new_id(NOW, ordinal * 9), "", 120) for ordinal in range(2)]
    facts = [
        addition(call(), text, evidence=[evidence])
        for text, evidence in zip(texts, cited, strict=True)
    ]
    short = addition(call(), "red " + "page " * 20)
    await add_passages(store, passages(), added=[*facts, short])
    found = await lexical(store, "red", time=time)
    assert found["red and a car"] < found[short.memory.text]


async def test_facts_that_cannot_be_found_lend_nothing(store: MemoryStore) -> None:
    async def fact(text: str, ordinal: int, **details: object) -> NewMemory:
        evidence = [Evidence(new_id(NOW, ordinal), "")]
        [added] = await add(
            store,
            text,
            evidence=evidence,
            **details,  # type: ignore[arg-type] # names fit
        )
        return added

    deleted = await fact("The harbour is far", 0)
    await fact("They moved", 1, metadata={"kept": True})
    yesterday = NOW.date() - timedelta(days=1)
    await fact("The harbour was near", 2, expiration_date=yesterday)
    await fact("A harbour", 1, project_id="project-2")
    await fact("A harbour", 1, scope=Scope(user_id="bob"))
    await fact("A harbour", 1, scope=Scope(user_id="alice", run_id="other"))
    every = await lexical(store, "harbour")
    assert set(every) == {"The harbour is far", "They moved", "A harbour"}
    assert every["They moved"] == pytest.approx(every["The harbour is far"] * CONTEXT_SHARE)
    kept = parse_filter({"metadata.kept": True})
    assert await lexical(store, "harbour", filters=kept) == {}
    later = call(time=NOW + timedelta(minutes=1))
    await store.commit(change_set(later, deleted=[Deletion(deleted.memory.id, 1)]))
    assert set(await lexical(store, "harbour")) == {"A harbour"}
    assert "They moved" in await lexical(store, "harbour", time=NOW + timedelta(seconds=30))


async def test_a_changed_fact_has_the_place_of_its_last_message(store: MemoryStore) -> None:
    (fact,) = await add(store, "a boat", evidence=[Evidence(new_id(NOW), "a boat")])
    await add_passages(store, passages(("The harbour.",)), time=NOW + timedelta(minutes=1))
    assert set(await lexical(store, "harbour")) == {"a boat", "The harbour."}
    later = NOW + timedelta(days=1)
    evidence = [Evidence(new_id(later), "two boats")]
    changed = replace(revision(fact, "two boats"), evidence=evidence)
    await store.commit(change_set(call(time=later), updated=[changed]))
    assert set(await lexical(store, "harbour")) == {"The harbour."}
    assert set(await lexical(store, "boat")) == {"two boats"}


@pytest.mark.parametrize("time", [None, NOW + timedelta(hours=1)], ids=["now", "past"])
async def test_a_fact_and_the_passage_of_its_message_make_room_for_others(
    store: MemoryStore, time: datetime | None
) -> None:
    said, other = passages(("green tea at noon",)), passages(("green tea at night",))
    (message,) = said.passages
    fact = addition(call(), "green tea", evidence=[Evidence(message.message_id, "green tea")])
    await add_passages(store, said, added=[fact])
    await add_passages(store, other, time=NOW + timedelta(minutes=10))
    hits = await store.search(query("green tea", time=time))
    assert [hit.text for hit in hits] == ["green tea", "green tea at night", "green tea at noon"]


async def test_conversations_of_different_scopes_lend_nothing(store: MemoryStore) -> None:
    for run in ("r1", "r2"):
        scope = Scope(user_id="alice", run_id=run)
        await add(store, f"harbour {run}", f"answer {run}", scope=scope, verbatim=True)
    await add(store, "aside", scope=Scope(user_id="alice", agent_id="a"), verbatim=True)
    assert set(await lexical(store, "r1")) == {"harbour r1", "answer r1"}
    assert "aside" not in await lexical(store, "harbour")
