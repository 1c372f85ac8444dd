"""The contract of searching, held on PostgreSQL: what both arms score, and what they look at.

Scopes are searched in one of three ways, which must come to the same.
"""

from __future__ import annotations

import math
import random
from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise, product

import pytest

from server.core.clock import new_id
from server.core.values import Vector
from server.graph.model import Entity, Relation
from server.memories.changes import Deletion
from server.memories.filters.parser import parse_filter
from server.memories.memory import Evidence
from server.memories.passages import Hit
from server.memories.ports import MemoryStore
from server.memories.scope import Scope
from server.memories.search.ranking import (
    BM25_B,
    BM25_K1,
    CENTRE_SHRINKAGE,
    CONTEXT_SHARE,
    FAR_SHARE,
    FIRST_HITS,
    PAIR_REACH,
    PAIR_SHARE,
    REACH,
    SHORT_LENGTH,
    SITTING,
    ArmWeights,
)
from server.memories.search.time_spans import days
from server.storage.postgres.pool import Database
from tests.support.builders import (
    ALICE,
    NOW,
    PROJECT,
    NewMemory,
    addition,
    call,
    change_set,
    memories_of,
    revision,
    vector,
)
from tests.support.passages import add_passages, passages
from tests.support.searches import (
    SCOPE_SIZES,
    TEA,
    VECTORS_ALONE,
    lexical,
    query,
    store_of,
)


@pytest.fixture(params=SCOPE_SIZES)
def store(request: pytest.FixtureRequest, database: Database) -> MemoryStore:
    return store_of(request.param, database)


async def add(
    store: MemoryStore,
    *texts: str,
    scope: Scope = ALICE,
    minute: int = 0,
    project_id: str = PROJECT,
    **details: object,
) -> list[NewMemory]:
    """One call that adds memories of these texts."""
    new_call = call(scope=scope, project_id=project_id, time=NOW + timedelta(minutes=minute))
    added = [
        addition(new_call, text, ordinal=ordinal, **details)  # type: ignore[arg-type] # names fit
        for ordinal, text in enumerate(texts)
    ]
    await store.commit(change_set(new_call, added=added))
    return added


def scores(hits: list[Hit]) -> dict[str, float]:
    return {hit.text: hit.score for hit in hits}


def arms(hits: list[Hit]) -> list[object]:
    """Which arms found each hit, and with what scores."""
    return [value for hit in hits for arm in hit.arms for value in (arm.arm, arm.rank, arm.score)]


def bm25(words: list[str], texts: list[str]) -> dict[str, float]:
    """The formula, word for word: for texts of words that are their own stems."""
    size, mean = len(texts), sum(map(len, texts)) / len(texts)
    counts = {text: Counter(text.split()) for text in texts}
    found = {word: sum(word in counts[text] for text in texts) for word in words}
    weights = {word: math.log(1 + (size - n + 0.5) / (n + 0.5)) for word, n in found.items() if n}
    result: dict[str, float] = {}
    for text in texts:
        saturation = BM25_K1 * (1 - BM25_B + BM25_B * len(text) / mean)
        total = sum(
            weight * counts[text][word] * (BM25_K1 + 1) / (counts[text][word] + saturation)
            for word, weight in weights.items()
        )
        if total:
            result[text] = min(1.0, total / sum(weights.values()))
    return result


def with_pairs(question: str, texts: list[str]) -> dict[str, float]:
    """BM25 where pairs of the question's words count as parts of words, for texts as of `bm25`."""
    question_words = question.split()
    mean = sum(map(len, texts)) / len(texts)
    known = {word for word in question_words if any(word in text.split() for text in texts)}
    pairs = {(a, b) for a, b in pairwise(question_words) if a != b and {a, b} <= known}
    result: dict[str, float] = {}
    for text, score in bm25(sorted(known), texts).items():
        words = text.split()
        found = sum(
            any(
                {words[i], words[j]} == {a, b} and abs(i - j) <= PAIR_REACH
                for i, j in product(range(len(words)), repeat=2)
            )
            for a, b in pairs
        )
        once = (BM25_K1 + 1) / (1 + BM25_K1 * (1 - BM25_B + BM25_B * len(text) / mean))
        total = len(known) * score + PAIR_SHARE * once * found
        result[text] = min(1.0, total / (len(known) + PAIR_SHARE * len(pairs)))
    return result


async def test_words_score_as_bm25_over_the_scope(store: MemoryStore) -> None:
    texts = ["red car", "red red red car park", "green park", "blue boat", "red boat green sea"]
    await add(store, *texts)
    for question in ("red", "red park", "sea boat", "red red car moon"):
        found = await lexical(store, question)
        assert found == pytest.approx(with_pairs(question, texts))
        assert found


async def test_words_that_stand_together_count_for_more(store: MemoryStore) -> None:
    apart = "boat of wood and with four sails now red"
    await add(store, "red old boat near a pier with sails", apart)
    found = await lexical(store, "red boat")
    assert len(found) == 2
    assert found[apart] < min(found[text] for text in found if text != apart) - 0.1


async def test_the_speaker_whom_the_question_names_is_preferred(store: MemoryStore) -> None:
    of_bob = passages(("Dear Ann, green boats.",), name="Bob", embedding=TEA)
    await add_passages(store, of_bob)
    await add_passages(store, passages(("Green boats it is.",), name="Ann", embedding=TEA))
    search = query("What did Ann say of green boats?", weights=ArmWeights(speaker=0.5))
    neutral = scores(await store.search(replace(search, weights=ArmWeights(speaker=0.0))))
    preferred = scores(await store.search(search))
    assert preferred["Dear Ann, green boats."] == pytest.approx(
        neutral["Dear Ann, green boats."] / 2
    )
    assert preferred["Green boats it is."] == pytest.approx(neutral["Green boats it is."])


async def test_words_are_compared_by_their_stems(store: MemoryStore) -> None:
    await add(store, "Alice was running marathons", "Bob sleeps")
    assert list(await lexical(store, "Who runs a marathon?")) == ["Alice was running marathons"]


async def test_a_question_of_stop_words_is_left_to_the_vectors(store: MemoryStore) -> None:
    await add(store, "the one", embedding=TEA)
    hits = await store.search(query("what is this?", weights=ArmWeights()))
    assert scores(hits) == pytest.approx({"the one": 1.0}, abs=1e-3)
    assert [arm.arm for arm in hits[0].arms] == ["dense"]


async def test_a_question_of_unknown_words_is_left_to_the_vectors(store: MemoryStore) -> None:
    await add(store, "tea at noon", "coffee at night", verbatim=True, embedding=TEA)
    hits = await store.search(query("zebra", weights=ArmWeights()))
    assert {hit.text for hit in hits} == {"tea at noon", "coffee at night"}
    assert {arm.arm for hit in hits for arm in hit.arms} == {"dense"}


MEANINGS = ["harbour port dock", "boat ship vessel"]


async def test_related_words_count_for_a_word_that_no_item_has(store: MemoryStore) -> None:
    texts = ["the boat left", "a ship at a dock", "the port", "a car"]
    await add(store, *texts)
    found = await lexical(store, "boat harbour", meanings=MEANINGS)
    # The scope knows boats, so ships count for nothing, and one word of the question.
    one = bm25(["boat"], texts)["the boat left"]
    assert found["the boat left"] == pytest.approx(one)
    assert set(found) == {"the boat left", "a ship at a dock", "the port"}
    assert await lexical(store, "boat harbour") == pytest.approx({"the boat left": one})
    assert await lexical(store, "boat", meanings=MEANINGS[:1]) == pytest.approx(
        {"the boat left": one}
    )


async def test_related_words_are_all_that_is_known_of_a_question(store: MemoryStore) -> None:
    texts = ["a ship at a dock", "the port", "a car"]
    await add(store, *texts)
    found = await lexical(store, "the harbours", meanings=["harbours port dock"])
    assert found == pytest.approx(bm25(["port", "dock"], texts))


async def test_a_word_that_can_no_longer_be_found_is_replaced(store: MemoryStore) -> None:
    yesterday = NOW.date() - timedelta(days=1)
    await add(store, "a harbour", expiration_date=yesterday)
    await add(store, "a port", "a car")
    assert set(await lexical(store, "harbour", meanings=MEANINGS)) == {"a port"}
    with_expired = await lexical(store, "harbour", meanings=MEANINGS, visible_on=None)
    assert set(with_expired) == {"a harbour"}


async def test_messages_lend_to_those_around_them(store: MemoryStore) -> None:
    texts = ["one", "harbour", "two", "three"]
    await add(store, *texts, verbatim=True)
    found = await lexical(store, "harbour")
    own = bm25(["harbour"], texts)["harbour"]
    lent = own * CONTEXT_SHARE
    far = own * FAR_SHARE
    assert found == pytest.approx({"one": lent, "harbour": own, "two": lent, "three": far})


async def test_how_far_a_message_lends_is_a_matter_of_words(store: MemoryStore) -> None:
    page = "page " * (REACH // 5)
    await add(store, "far", "near", "harbour", f"{page}1", f"{page}2", "beyond", verbatim=True)
    assert set(await lexical(store, "harbour")) == {"far", "near", "harbour", f"{page}1"}


async def test_a_long_message_lends_to_the_next_ones_alone(store: MemoryStore) -> None:
    page = "harbour " + "page " * (REACH // 5)
    await add(store, "far", "near", page, "next", "further", verbatim=True)
    assert set(await lexical(store, "harbour")) == {"near", page, "next"}


async def test_nothing_is_lent_from_one_sitting_to_another(store: MemoryStore) -> None:
    pause = int(SITTING.total_seconds() / 60) + 1
    await add(store, "evening", verbatim=True)
    await add(store, "harbour", "morning", verbatim=True, minute=pause)
    assert set(await lexical(store, "harbour")) == {"harbour", "morning"}


@pytest.mark.parametrize("other", ["large scopes", "held scopes"])
async def test_all_ways_of_searching_come_to_the_same(database: Database, other: str) -> None:
    small = store_of("small scopes", database)
    chance = random.Random(7)
    words = ["harbour", "boat", "sail", *(f"word{number}" for number in range(60))]
    for hour in range(12):
        texts = [
            f"{hour} {turn} " + " ".join(chance.choices(words, k=chance.choice((2, 6, 30, 90))))
            for turn in range(10)
        ]
        await add(small, *texts, verbatim=True, minute=hour * 180)
    meanings = ["unknown word7 word8", "boat word9"]
    search = query("an unknown harbour for the boat", limit=20, meanings=meanings)
    found = scores(await small.search(search))
    assert scores(await store_of(other, database).search(search)) == pytest.approx(found)
    assert len(found) == 20
    assert found != pytest.approx(scores(await small.search(replace(search, meanings=()))))


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


async def test_memories_outside_the_scope_change_no_score(store: MemoryStore) -> None:
    await add(store, "red car", "green park", embedding=vector(1, 1, 0))
    before = scores(await store.search(query("red", weights=ArmWeights())))
    await add(store, "red", "red red", scope=Scope(user_id="bob"), embedding=TEA)
    await add(store, "red", "red red", project_id="project-2", embedding=TEA)
    await add(store, "red red red", expiration_date=NOW.date() - timedelta(days=1))
    assert scores(await store.search(query("red", weights=ArmWeights()))) == before


async def test_an_updated_memory_is_found_by_its_new_words(store: MemoryStore) -> None:
    (item, _) = await add(store, "red car", "green park")
    await store.commit(change_set(call(), updated=[revision(item, "blue boat")]))
    assert await lexical(store, "car") == {}
    assert set(await lexical(store, "boat")) == {"blue boat"}


def centred(question: Vector, memory: Vector, everything: list[Vector]) -> float:
    size = len(everything)
    share = size / (size + CENTRE_SHRINKAGE)
    mean = [share * sum(column) / size for column in zip(*everything, strict=True)]
    a = [x - m for x, m in zip(question, mean, strict=True)]
    b = [x - m for x, m in zip(memory, mean, strict=True)]
    product: float = sum(x * y for x, y in zip(a, b, strict=True))
    return product / math.hypot(*a) / math.hypot(*b)


async def test_vectors_are_compared_by_their_differences_from_the_mean(store: MemoryStore) -> None:
    embeddings = {f"memory {n}": vector(1, n / 10, 0.5 - n / 20) for n in range(10)}
    for text, embedding in embeddings.items():
        await add(store, text, embedding=embedding)
    hits = await store.search(query("", vector=vector(1, 0.4, 0.2), weights=VECTORS_ALONE))
    every = list(embeddings.values())
    wanted = {
        text: max(0.0, centred(vector(1, 0.4, 0.2), embedding, every))
        for text, embedding in embeddings.items()
    }
    assert scores(hits) == pytest.approx(wanted, abs=2e-3)


async def test_the_threshold_bounds_the_fused_score(store: MemoryStore) -> None:
    await add(store, "red car", embedding=TEA)
    await add(store, "red", "green", embedding=vector(0, 1, 0))
    every = await store.search(query("red car", weights=ArmWeights()))
    assert len(every) == 3
    bound = every[1].score
    assert 0 < bound < every[0].score
    found = await store.search(query("red car", weights=ArmWeights(), threshold=bound))
    assert scores(found) == {hit.text: hit.score for hit in every[:2]}


async def test_categories_narrow_before_the_limit(store: MemoryStore) -> None:
    await add(store, *(f"tea number {number}" for number in range(30)), embedding=TEA)
    await add(store, "running", categories=["sports"], embedding=vector(0, 0, 1))
    found = await store.search(query("tea", weights=ArmWeights(), categories=["sports"], limit=1))
    assert [hit.text for hit in found] == ["running"]


async def test_either_arm_alone_brings_a_memory_in(store: MemoryStore) -> None:
    apart = vector(0, 0, 1)
    await add(store, *(f"filler {number}" for number in range(400)), embedding=apart)
    await add(store, "by meaning", embedding=TEA)
    await add(store, "by the word harbour", embedding=vector(0, -1, 0))
    found = await store.search(query("harbour", weights=ArmWeights(), limit=2))
    assert {hit.text for hit in found} == {"by meaning", "by the word harbour"}
    arms = {hit.text: [arm.arm for arm in hit.arms] for hit in found}
    assert arms["by meaning"] == ["dense"]
    assert "lexical" in arms["by the word harbour"]


async def test_beyond_the_first_hits_those_that_resemble_them_come_first(
    store: MemoryStore,
) -> None:
    long = " and so on" * 100
    first = [f"{number} in the harbour{long}" for number in range(FIRST_HITS)]
    await add(store, *first, embedding=vector(0, 1, 0))
    await add(store, f"apart{long}", embedding=vector(1, 0, 1.5))
    await add(store, f"alike{long}", embedding=vector(0.8, 1, 0))
    search = query("harbour", weights=ArmWeights())

    found = await store.search(replace(search, limit=FIRST_HITS + 2))
    assert {hit.text for hit in found[:FIRST_HITS]} == set(first)
    assert [hit.text.split()[0] for hit in found[FIRST_HITS:]] == ["alike", "apart"]
    as_scored = {hit.text.split()[0]: hit.arms[0].score for hit in found[FIRST_HITS:]}
    assert as_scored["apart"] > as_scored["alike"]
    few = await store.search(replace(search, limit=FIRST_HITS))
    assert [hit.id for hit in few] == [hit.id for hit in found[:FIRST_HITS]]


async def test_the_graph_proposes_within_what_is_searched(store: MemoryStore) -> None:
    apart = vector(0, 0, 1)
    await add(store, *(f"filler {number}" for number in range(400)), embedding=apart)
    (near,) = await add(store, "by relation", embedding=apart)
    (outside,) = await add(store, "of bob", scope=Scope(user_id="bob"))
    (expired,) = await add(store, "gone", expiration_date=NOW.date() - timedelta(days=1))
    proposed = {item.memory.id: 0.9 for item in (near, outside, expired)}
    found = await store.search(query("nothing", graph=proposed, limit=2))
    assert found[0].text == "by relation"
    assert ("graph", 1, 0.9) in [(arm.arm, arm.rank, arm.score) for arm in found[0].arms]
    assert found[1].text.startswith("filler")


# Hyphenated words are indexed whole and in parts, and such characters take four bytes: the most
# that a text of its length can make of the index.
@pytest.mark.parametrize(
    "text",
    [
        " ".join(f"word{number}" for number in range(150_000)),
        " ".join(f"{'𐐨' * 5}{chr(0x10428 + n % 40)}-{n}{'𐐩' * 6}" for n in range(60_000)),
        "x" * 1_000_000,
        "😀",
    ],
    ids=["words", "hyphens", "one-word", "no-word"],
)
async def test_any_text_can_be_stored_and_searched(store: MemoryStore, text: str) -> None:
    await add(store, text)
    assert len(await store.search(query(text[:8000]))) == 1


async def test_a_long_text_fits_beside_the_longest_embedding(store: MemoryStore) -> None:
    text = " ".join(f"word{number}" for number in range(5_000))
    longest = vector(*range(1, 3_073))
    await add(store, text, embedding=longest)
    assert await lexical(store, "word4999", vector=longest)


async def test_events_close_to_the_times_of_the_question_are_preferred(store: MemoryStore) -> None:
    await add(store, "long ago", minute=-100_000)
    await add(store, "that day")
    passage = "A passage of that day, which is longer than what one calls a remark."
    assert len(passage) > SHORT_LENGTH
    await add_passages(
        store, passages((passage,), embedding=vector(0, 1, 0)), time=NOW + timedelta(minutes=1)
    )
    without = query("", weights=VECTORS_ALONE)
    weights = replace(VECTORS_ALONE, time=0.5)
    search = replace(without, weights=weights, question_times=[days(NOW.date())])

    plain, lifted = scores(await store.search(without)), await store.search(search)
    of_that_day = {"that day", passage}
    assert scores(lifted) == pytest.approx(
        {text: 1 - (1 - plain[text]) * (0.5 if text in of_that_day else 1) for text in plain}
    )
    times = {hit.text: arm.score for hit in lifted for arm in hit.arms if arm.arm == "time"}
    assert times == dict.fromkeys(of_that_day, 1.0)
    past = await store.search(replace(search, time=NOW + timedelta(minutes=2)))
    assert arms(past) == pytest.approx(arms(lifted))


async def test_the_past_is_searched_as_the_present_was(store: MemoryStore) -> None:
    items = await add(store, "tea with milk", "coffee", embedding=vector(1, 1, 0))
    items += await add(store, "rain", minute=1, embedding=vector(0, 1, 1))
    items += await add(store, "hello there", "tea, please", verbatim=True, minute=2)
    question = query("tea or rain", weights=ArmWeights(dense=0.5, lexical=0.5))
    before = await store.search(question)
    assert len(before) == len(items)

    tea, coffee, rain, *_ = items
    later = call(time=NOW + timedelta(minutes=4))
    changed = replace(revision(tea, "of no interest"), embedding=vector(0, 0, 1))
    kept = revision(rain, "rain")
    deletion = Deletion(coffee.memory_id, 1)
    await store.commit(
        change_set(later, updated=[changed, kept], deleted=[deletion], metadata={"a": 1})
    )
    await add(store, "tea and rain", minute=5)
    assert await store.search(question) != before

    past = await store.search(replace(question, time=NOW + timedelta(minutes=3)))
    assert memories_of(past) == memories_of(before)
    assert arms(past) == pytest.approx(arms(before))
    early = await store.search(replace(question, time=NOW))
    assert {hit.text for hit in early} == {"tea with milk", "coffee"}
    assert await store.search(replace(question, time=NOW - timedelta(minutes=1))) == []
    of_bob = replace(question, scope=Scope(user_id="bob"), time=NOW + timedelta(minutes=3))
    assert await store.search(of_bob) == []


async def test_a_search_of_the_past_finds_memories_that_expired_later(store: MemoryStore) -> None:
    tomorrow = NOW.date() + timedelta(days=1)
    await add(store, "tea today", expiration_date=NOW.date())
    question = query("tea", time=NOW + timedelta(minutes=1))
    assert len(await store.search(question)) == 1
    assert await store.search(replace(question, visible_on=tomorrow)) == []
    assert len(await store.search(replace(question, visible_on=None))) == 1


async def test_a_search_of_the_past_has_the_same_restrictions(store: MemoryStore) -> None:
    kept = await add(store, "tea", categories=["food"], metadata={"hot": True})
    other = await add(store, "old tea", expiration_date=NOW.date())
    for item in (*kept, *other):
        later = call(time=NOW + timedelta(hours=1))
        await store.commit(change_set(later, deleted=[Deletion(item.memory.id, 1)]))

    async def found(**narrowed: object) -> set[str]:
        return set(scores(await store.search(query("tea", time=NOW, **narrowed))))

    assert await found() == {"tea", "old tea"}
    assert await found(categories=["food"]) == {"tea"}
    assert await found(filters=parse_filter({"metadata.hot": True})) == {"tea"}
    assert await found(visible_on=NOW.date() + timedelta(days=1)) == {"tea"}
    assert await found(threshold=1.1) == set()
    assert len(await found(limit=1)) == 1
    assert await found(project_id="project-2") == set()


def stating(source: str, relation: str, target: str) -> tuple[Relation]:
    """The relation that a memory states."""
    return (Relation(Entity(source), relation, Entity(target)),)


async def found_latest(store: MemoryStore, **changes: object) -> set[str]:
    latest_at = NOW + timedelta(days=1)
    return set(scores(await store.search(query("anna", latest_at=latest_at, **changes))))


async def test_of_several_values_of_a_subject_only_the_newest_is_found(store: MemoryStore) -> None:
    await add(store, "anna in oslo", relations=stating("Anna", "lives_in", "Oslo"))
    await add(store, "anna in rome", minute=1, relations=stating("Anna", "lives_in", "Rome"))
    await add(store, "anna at acme", relations=stating("Anna", "works_at", "Acme"))
    await add(store, "anna knows bob", relations=stating("Anna", "knows", "Bob"))
    await add(store, "anna knows eve", minute=1, relations=stating("Anna", "knows", "Eve"))
    await add(store, "bob in oslo", relations=stating("Bob", "lives_in", "Oslo"))
    await add(store, "anna said so", verbatim=True)
    kept = {
        *("anna in rome", "anna at acme", "anna knows bob", "anna knows eve", "bob in oslo"),
        "anna said so",
    }
    assert await found_latest(store) == kept
    assert set(scores(await store.search(query("anna")))) == kept | {"anna in oslo"}


async def test_memories_that_partly_hold_are_found(store: MemoryStore) -> None:
    both = (
        Relation(Entity("Anna"), "lives_in", Entity("Oslo")),
        Relation(Entity("Anna"), "works_at", Entity("Acme")),
    )
    await add(store, "anna in oslo at acme", relations=both)
    await add(store, "anna in rome", minute=1, relations=stating("Anna", "lives_in", "Rome"))
    assert await found_latest(store) == {"anna in oslo at acme", "anna in rome"}
    await add(store, "anna at bolt", minute=2, relations=stating("Anna", "works_at", "Bolt"))
    assert await found_latest(store) == {"anna in rome", "anna at bolt"}


async def test_only_visible_memories_supersede(store: MemoryStore) -> None:
    other = Scope(user_id="alice", run_id="run-9")
    await add(store, "anna in oslo", relations=stating("Anna", "lives_in", "Oslo"))
    await add(
        store, "anna in rome", minute=1, scope=other, relations=stating("Anna", "lives_in", "Rome")
    )
    await add(
        store,
        "anna in lima",
        minute=2,
        expiration_date=NOW.date() - timedelta(days=1),
        relations=stating("Anna", "lives_in", "Lima"),
    )
    await add(store, "anna in kyiv", minute=5000, relations=stating("Anna", "lives_in", "Kyiv"))
    assert await found_latest(store) == {"anna in rome", "anna in kyiv"}
    assert await found_latest(store, scope=other) == {"anna in rome"}
    nice = stating("Anna", "lives_in", "Nice")
    await add(store, "anna in nice", minute=9, project_id="project-2", relations=nice)
    assert await found_latest(store) == {"anna in rome", "anna in kyiv"}
