"""Deterministic embeddings: a bag of words, each word hashed to a few signed places."""

from __future__ import annotations

import hashlib
import math
import re

_TASK = re.compile(r"^(?:title: none \| text: |task: search result \| query: )")
_PLACES = 8
_NORMALISED_SIZE = 3072


def embedding(text: str, dimensions: int) -> list[float]:
    """Embeds texts that share words close together.

    As in the real API, only embeddings of 3072 dimensions are normalised.
    """
    text = _TASK.sub("", text)
    values = [0.0] * dimensions
    for word in re.findall(r"\w+", text.casefold()) or [text]:
        digest = hashlib.blake2b(word.rstrip("s").encode(), digest_size=4 * _PLACES).digest()
        for start in range(0, len(digest), 4):
            number = int.from_bytes(digest[start : start + 4])
            values[number // 2 % dimensions] += 1.0 if number % 2 else -1.0
    if dimensions == _NORMALISED_SIZE:
        norm = math.hypot(*values)
        return [value / norm for value in values]
    return values
