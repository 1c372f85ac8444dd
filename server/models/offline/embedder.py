"""Embeddings without a network, from WordLlama's static token vectors in its wheel."""

from __future__ import annotations

import asyncio
import hashlib
import math
import re
from array import array
from collections.abc import Sequence
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import wordllama
from numpy.typing import NDArray

from server.core.request_context import current_request
from server.core.text import proper_names, without_names
from server.core.values import Vector
from server.models.offline.lexicon import FUNCTION_WORDS, QUESTION_WORDS
from server.models.ports import EmbeddingPurpose
from server.telemetry.recording import model_call

DIMENSIONS = 256

# 1,000 characters take about 0.25 ms; work of some milliseconds should not block the event loop.
_THREAD_FROM_CHARACTERS = 16_384

# Token vectors are summed in blocks, so that one huge text does not need hundreds of megabytes.
_BLOCK_TOKENS = 4_096

# The number of words whose tokens are cached, and their maximum length; a few megabytes in total.
_WORDS_KEPT = 20_000
_LONGEST_WORD = 32

# The tokenizer's symbol for a space.
_SPACE_MARK = "\u2581"

# The minimum cosine of the near duplicates in test_near_duplicates.py is .90.
_NEAR_DUPLICATE_SIMILARITY = 0.85

# Otherwise every question is close to every other question.
_QUESTION_MARKS = str.maketrans(dict.fromkeys("?\u00bf\u037e\u055e\u061f\uff1f", " "))

# The vectors of names mean little, and are close to all texts that address that person.
_NAME_WEIGHT = 0.25

# How many words of related meaning a word has at most, and their minimum cosine.
_RELATED = 5
_LEAST_RELATED = 0.5

# A word that was not looked up before takes about half a millisecond, so questions have a limit.
_MOST_MEANINGS = 24

# Nearly all of them are stop words of PostgreSQL, which no search finds.
_FUNCTION_WORDS = FUNCTION_WORDS | QUESTION_WORDS
_WORD = re.compile(rf"\b[a-z]{{3,{_LONGEST_WORD}}}\b")

_Floats = NDArray[np.float32]


class OfflineEmbedder:
    """Embeds a text as the mean of its token vectors, L2-normalised.

    In a query, question marks are ignored and names have less weight: the lexical arm finds them.
    """

    def __init__(self, tokenizer: Any, token_vectors: _Floats) -> None:
        self._tokenizer = tokenizer
        self._token_vectors = token_vectors
        self._special = tuple(map(str, tokenizer.get_added_tokens_decoder().values()))
        self._words, self._word_vectors = _words_of(tokenizer, token_vectors)
        self._tokens_of_word = lru_cache(_WORDS_KEPT)(self._encoded)
        self._related_to = lru_cache(_WORDS_KEPT)(self._nearest_words)

    @classmethod
    def load(cls) -> OfflineEmbedder:
        """Reads the model from the installed package; takes about 0.2 s and 70 MB.

        Raises:
            RuntimeError: the package contains another model than expected.
        """
        # If its own folder is not the cache, WordLlama downloads its tokenizer.
        model = wordllama.WordLlama.load(
            dim=DIMENSIONS, cache_dir=Path(wordllama.__file__).parent, disable_download=True
        )
        if model.embedding.shape[1] != DIMENSIONS:
            raise RuntimeError(f"wordllama has no {DIMENSIONS}-dimensional model")
        model.tokenizer.no_padding()
        return cls(model.tokenizer, model.embedding)

    @property
    def model(self) -> str:
        """The model's name with its provider."""
        return f"offline/wordllama-{DIMENSIONS}"

    @property
    def dimensions(self) -> int:
        """The length of every vector."""
        return DIMENSIONS

    @property
    def near_duplicate_similarity(self) -> float:
        """The threshold, measured on sentences that differ in articles, plurals and order."""
        return _NEAR_DUPLICATE_SIMILARITY

    @property
    def dense_weight(self) -> float:
        """The same weight as words: ADR 0012."""
        return 1.0

    @property
    def compares_sentences(self) -> bool:
        """False, because a mean of token vectors is close to every text that shares a rare word."""
        return False

    def meanings(self, question: str) -> Sequence[str]:
        """Returns words of the question, each followed by words whose vectors are close to its own.

        Names, function words and what follows the first words of a long question are left out.
        """
        words = dict.fromkeys(_WORD.findall(without_names(question).casefold()))
        looked_up = islice((word for word in words if word not in _FUNCTION_WORDS), _MOST_MEANINGS)
        return [f"{word} {related}" for word in looked_up if (related := self._related_to(word))]

    def _nearest_words(self, word: str) -> str:
        # Not `@`: the threads of its library spin while they wait for each other.
        similar = np.vecdot(self._word_vectors, np.array(self._embed(word), dtype=np.float32))
        close = np.flatnonzero(similar >= _LEAST_RELATED)
        nearest = close[np.argsort(-similar[close], kind="stable")].tolist()
        others = (near for number in nearest if (near := self._words[number]) != word)
        return " ".join(islice(others, _RELATED))

    async def embed(self, texts: Sequence[str], purpose: EmbeddingPurpose) -> list[Vector]:
        """Returns a vector for each text, in order. A text without tokens gets an arbitrary vector.

        Raises:
            DeadlineExceeded: the call's deadline passed before the work began.
        """
        current_request().remaining()
        one = self._embed_query if purpose is EmbeddingPurpose.QUERY else self._embed
        with model_call(self.model, "embeddings"):
            if sum(map(len, texts)) < _THREAD_FROM_CHARACTERS:
                return [one(text) for text in texts]
            return await asyncio.to_thread(lambda: [one(text) for text in texts])

    def _embed(self, text: str) -> Vector:
        return _normalised(self._total(text), text)

    def _embed_query(self, text: str) -> Vector:
        question = " ".join(text.translate(_QUESTION_MARKS).split())
        total = self._total(question)
        if names := proper_names(question):
            total -= np.float32(1 - _NAME_WEIGHT) * self._total(" ".join(names))
        return _normalised(total, question)

    def _total(self, text: str) -> _Floats:
        """Returns the sum of the vectors of all tokens."""
        tokens = self.tokens(text)
        total = self._sum(tokens[:_BLOCK_TOKENS])
        for start in range(_BLOCK_TOKENS, len(tokens), _BLOCK_TOKENS):
            total += self._sum(tokens[start : start + _BLOCK_TOKENS])
        return total

    def _sum(self, tokens: Sequence[int]) -> _Floats:
        total: _Floats = self._token_vectors.take(tokens, axis=0).sum(axis=0)
        return total

    def tokens(self, text: str) -> list[int]:
        """Returns the tokens of a text, word by word, because no token contains a space.

        Most words have been seen before, and looking up their tokens takes a small part of the time
        and memory of tokenizing them.
        """
        words = text.split(" ")
        if "" in words or _SPACE_MARK in text or any(special in text for special in self._special):
            return list(self._encoded(text))
        return [
            token
            for word in words
            for token in (
                self._tokens_of_word(word) if len(word) <= _LONGEST_WORD else self._encoded(word)
            )
        ]

    def _encoded(self, text: str) -> tuple[int, ...]:
        # Unlike `encode`, this lets other threads run, so a long text does not stop the event loop.
        [encoded] = self._tokenizer.encode_batch_fast([text], add_special_tokens=False)
        return tuple(encoded.ids)


def _normalised(total: _Floats, text: str) -> Vector:
    # numpy's own norm takes ten times as long for a vector of this length.
    norm = math.sqrt(total.dot(total))
    return array("f", (total / np.float32(norm)).tobytes()) if norm else _axis(text)


def _axis(text: str) -> Vector:
    """Returns a unit vector along an axis, which is the same for a text in every process."""
    place = int.from_bytes(hashlib.sha256(text.encode()).digest()[:4]) % DIMENSIONS
    vector = array("f", bytes(4 * DIMENSIONS))
    vector[place] = 1.0
    return vector


def _words_of(tokenizer: Any, token_vectors: _Floats) -> tuple[list[str], _Floats]:
    """Returns the words that are one token, and their normalised vectors."""
    tokens = {
        token[1:]: number
        for token, number in tokenizer.get_vocab().items()
        if token[0] == _SPACE_MARK and _WORD.fullmatch(token[1:])
    }
    words = sorted(tokens)
    vectors = token_vectors[[tokens[word] for word in words]].astype(np.float32)
    vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), np.float32(1e-9))
    return words, vectors
