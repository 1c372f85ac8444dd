"""The built-in embedder: correct vectors for any text, without a network."""

from __future__ import annotations

import math
import socket
import threading
import time
from array import array
from typing import Any, NoReturn

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.core.errors import DeadlineExceeded
from server.core.request_context import RequestContext, current_request, enter_request
from server.core.values import Vector
from server.models.offline import embedder as module
from server.models.offline.embedder import OfflineEmbedder
from server.models.ports import Embedder, EmbeddingPurpose

DOCUMENT = EmbeddingPurpose.DOCUMENT


@pytest.fixture(scope="module")
def embedder() -> OfflineEmbedder:
    return OfflineEmbedder.load()


def cosine(one: Vector, other: Vector) -> float:
    return sum(x * y for x, y in zip(one, other, strict=True))


def assert_unit(vector: Vector) -> None:
    assert isinstance(vector, array)
    assert vector.typecode == "f"
    assert len(vector) == 256
    assert math.isclose(cosine(vector, vector), 1.0, abs_tol=1e-5)


def test_it_is_an_embedder(embedder: Embedder) -> None:
    assert embedder.model == "offline/wordllama-256"
    assert embedder.dimensions == 256


async def test_no_texts_give_no_vectors(embedder: OfflineEmbedder) -> None:
    assert await embedder.embed([], DOCUMENT) == []


async def test_vectors_are_in_the_order_of_the_texts(embedder: OfflineEmbedder) -> None:
    texts = ["I like tea", "I moved to Lisbon", "", "I like tea"]
    together = await embedder.embed(texts, DOCUMENT)
    alone = [(await embedder.embed([text], DOCUMENT))[0] for text in texts]
    assert together == alone
    assert together[0] == together[3]
    assert together[0] != together[1]


SPACED = st.lists(
    st.sampled_from(["I", "like", "tea", "Lisbon's", "\u2581", "<s>", "", "\n", "\u8336", "a" * 40])
    | st.text(max_size=8),
    max_size=8,
).map(" ".join)


@given(SPACED)
def test_the_tokens_of_a_text_are_those_of_its_words(embedder: OfflineEmbedder, text: str) -> None:
    whole = embedder._tokenizer.encode(text, add_special_tokens=False).ids
    assert embedder.tokens(text) == whole


async def test_similar_texts_are_close(embedder: OfflineEmbedder) -> None:
    tea, drink, car = await embedder.embed(
        ["User likes tea", "What does the user like to drink?", "The car needs new tyres"],
        DOCUMENT,
    )
    assert cosine(tea, drink) > cosine(tea, car) + 0.1


async def test_names_in_a_question_count_less_than_other_words(embedder: OfflineEmbedder) -> None:
    [question_vector] = await embedder.embed(
        ["When did Caroline paint a sunrise?"], EmbeddingPurpose.QUERY
    )
    address, painting = await embedder.embed(
        ["Caroline, hi Caroline!", "Yesterday I finally did a picture of the dawn"], DOCUMENT
    )
    assert cosine(question_vector, painting) > cosine(question_vector, address)


async def test_all_words_count_equally_if_many_are_capitalized(embedder: OfflineEmbedder) -> None:
    title = "Wann war Anna im Krankenhaus"
    [question_vector] = await embedder.embed([title], EmbeddingPurpose.QUERY)
    [said] = await embedder.embed([title], DOCUMENT)
    assert question_vector == said


@pytest.mark.parametrize("mark", ["?", "\uff1f", "\u061f", " ??"])
async def test_a_question_is_closer_to_its_answer_than_to_other_questions(
    embedder: OfflineEmbedder, mark: str
) -> None:
    [question_vector, bare] = await embedder.embed(
        [f"What is her job{mark}", "What is her job"], EmbeddingPurpose.QUERY
    )
    answer, other = await embedder.embed(
        ["User works at Acme as a designer", "How do you like it so far?"], DOCUMENT
    )
    assert cosine(question_vector, answer) > cosine(question_vector, other)
    assert cosine(question_vector, bare) == pytest.approx(1.0)


@given(st.lists(st.text(max_size=40), max_size=3))
async def test_any_text_has_a_unit_vector(embedder: OfflineEmbedder, texts: list[str]) -> None:
    for vector in await embedder.embed(texts, DOCUMENT):
        assert_unit(vector)


async def test_a_text_without_a_token_has_its_own_vector(
    embedder: OfflineEmbedder,
) -> None:
    class NoTokens:
        def get_added_tokens_decoder(self) -> dict[int, object]:
            return {}

        def get_vocab(self) -> dict[str, int]:
            return {}

        def encode_batch_fast(self, texts: list[str], **options: Any) -> Any:
            class Encoding:
                ids: tuple[int, ...] = ()

            return [Encoding for _ in texts]

    blank = OfflineEmbedder(NoTokens(), embedder._token_vectors)
    first, second, again = await blank.embed(["?!", "\u2800", "?!"], DOCUMENT)
    assert_unit(first)
    assert_unit(second)
    assert first == again
    assert first != second


async def test_a_huge_text_is_the_mean_of_its_tokens(embedder: OfflineEmbedder) -> None:
    huge, short = await embedder.embed(["tea " * 65_536, "tea " * 100], DOCUMENT)
    assert_unit(huge)
    assert cosine(huge, short) > 0.999


async def test_large_batches_do_not_block_the_event_loop(
    embedder: OfflineEmbedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads = []
    embed = embedder._embed

    def observed(text: str) -> Vector:
        threads.append(threading.current_thread() is threading.main_thread())
        return embed(text)

    monkeypatch.setattr(embedder, "_embed", observed)
    await embedder.embed(["tea"], DOCUMENT)
    await embedder.embed(["tea " * module._THREAD_FROM_CHARACTERS], DOCUMENT)
    assert threads == [True, False]


def test_a_long_text_lets_other_threads_run(embedder: OfflineEmbedder) -> None:
    thread = threading.Thread(target=embedder.tokens, args=("word  " * 50_000,))
    thread.start()
    turns = 0
    while thread.is_alive():
        turns += 1
        thread.join(0.001)
    # If the tokenizer kept the interpreter, this thread would have a few turns before and after.
    assert turns > 20


async def test_nothing_touches_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **kwargs: object) -> NoReturn:
        raise AssertionError("a connection was made")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket.socket, "connect_ex", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    (vector,) = await OfflineEmbedder.load().embed(["I like tea"], DOCUMENT)
    assert_unit(vector)


async def test_a_call_without_time_left_does_not_start(embedder: OfflineEmbedder) -> None:
    before = current_request()
    enter_request(RequestContext("test", deadline=time.monotonic() - 1))
    try:
        with pytest.raises(DeadlineExceeded):
            await embedder.embed(["I like tea"], DOCUMENT)
    finally:
        enter_request(before)


def test_words_of_related_meaning_follow_each_word(embedder: OfflineEmbedder) -> None:
    related = {
        word: set(others)
        for word, *others in map(str.split, embedder.meanings("Who was hurt at the wedding?"))
    }
    assert {"injured", "pain"} <= related["hurt"]
    assert "married" in related["wedding"]
    assert "who" not in related["hurt"] | related["wedding"]
    assert all(word not in others and len(others) <= 5 for word, others in related.items())


def test_names_have_no_related_words(embedder: OfflineEmbedder) -> None:
    assert any(meaning.startswith("rose ") for meaning in embedder.meanings("Did a rose bloom?"))
    assert not any("rose" in meaning for meaning in embedder.meanings("Did my aunt Rose bloom?"))


def test_function_words_have_no_meanings(embedder: OfflineEmbedder) -> None:
    assert embedder.meanings("What did she have, and when was it?") == []


def test_only_the_first_words_of_a_question_are_looked_up(embedder: OfflineEmbedder) -> None:
    trees = embedder.meanings("tree " * 100 + "doctor")
    assert [meaning.split()[0] for meaning in trees] == ["tree", "doctor"]
    made_up = " ".join(f"{one}{other}zq" for one in "bdfgk" for other in "aeiou")
    assert not any(
        meaning.startswith("doctor") for meaning in embedder.meanings(f"{made_up} doctor")
    )
