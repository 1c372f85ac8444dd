"""The contract of searching, held on PostgreSQL: what each arm scores, and what it looks at.

Scopes are searched in one of three ways, which must give the same results.
"""

from __future__ import annotations

import math
import random
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise, product

import pytest

from server.core.values import Vector
from server.memories.ports import MemoryStore
from server.memories.scope import Scope
from server.memories.search.ranking import (
    BM25_B,
    BM25_K1,
    CENTRE_SHRINKAGE,
    FIRST_HITS,
    PAIR_REACH,
    PAIR_SHARE,
    SHORT_LENGTH,
    ArmWeights,
)
from server.memories.search.time_spans import days
from server.storage.postgres.pool import Database
from tests.support.builders import (
    NOW,
    call,
    change_set,
    revision,
    vector,
)
from tests.support.passages import add_passages, passages
from tests.support.searches import (
    SCOPE_SIZES,
    TEA,
    VECTORS_ALONE,
    add,
    arms,
    bm25,
    lexical,
    query,
    scores,
    store_of,
)


@pytest.fixture(params=SCOPE_SIZES)
def store(request: pytest.FixtureRequest, database: Database) -> MemoryStore:
    return store_of(request.param, database)


def with_pairs(question: str, texts: list[str]) -> dict[str, float]:
    """The score of `bm25` with adjacent words of the question counting as parts of words."""
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


async def test_adjacent_words_count_for_more(store: MemoryStore) -> None:
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
    # "boat" is in the scope, so "ship" does not count; one word of the question is left.
    one = bm25(["boat"], texts)["the boat left"]
    assert found["the boat left"] == pytest.approx(one)
    assert set(found) == {"the boat left", "a ship at a dock", "the port"}
    assert await lexical(store, "boat harbour") == pytest.approx({"the boat left": one})
    assert await lexical(store, "boat", meanings=MEANINGS[:1]) == pytest.approx(
        {"the boat left": one}
    )


async def test_related_words_count_fully_if_no_other_word_is_known(
    store: MemoryStore,
) -> None:
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


@pytest.mark.parametrize("other", ["large scopes", "held scopes"])
async def test_all_ways_of_searching_give_the_same_scores(database: Database, other: str) -> None:
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


async def test_one_arm_is_enough_to_find_a_memory(store: MemoryStore) -> None:
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
