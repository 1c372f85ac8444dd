"""Keys and words of names as the graph stores them, and the parameters of statements.

All projects share one index of words. Each word in it begins with a digest of its project and
space, so a query finds only words of its space, and its cost does not depend on others. Text of
clients cannot become query syntax: words consist of letters, digits and marks, and the special
characters of Lucene's query parser (org.apache.lucene.queryparser.classic) are escaped as well.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

from server.core.text import digest_of
from server.graph.model import entity_key, words_of

# An entry of a Neo4j range index holds about 8,000 bytes: here project, space and key.
MAX_KEY_BYTES = 2048
_SURELY_SHORT = MAX_KEY_BYTES // 4  # a character has at most four bytes in UTF-8
_KEPT_BYTES = 1024
_SLOT_BYTES = 2


def is_storable(key: str) -> bool:
    """Whether an index accepts an entity's key as it is."""
    return len(key) <= _SURELY_SHORT or len(key.encode()) <= MAX_KEY_BYTES


def index_key(key: str) -> str:
    """Returns an entity's key as the graph stores it: a long key is partly replaced by a digest.

    Folding can make a name 18 times as long (U+FDFA), so a name of legal length can have a key that
    no index accepts. The start of such a key is kept for the order and the rest becomes a digest; a
    line break, which no key contains, distinguishes it from other keys.
    """
    if is_storable(key):
        return key
    encoded = key.encode()
    start = encoded[:_KEPT_BYTES].decode(errors="ignore")
    return f"{start}\n{hashlib.sha256(encoded).hexdigest()}"


def space_lock_slot(project_id: str, space: str) -> int:
    """Returns the number, below 65,536, of the lock of a space's entities.

    If two spaces have the same number, one sometimes waits for the other; nothing else happens.
    """
    name = f"{len(project_id)}:{project_id}{space}".encode()
    return int.from_bytes(hashlib.sha256(name).digest()[:_SLOT_BYTES], "big")


def relation_slot(project_id: str, space: str, source: str, relation: str) -> str:
    """Returns the slot of a functional relation: relations in the same slot end each other.

    It is a digest of the subject and the relation's name, in 32 hexadecimal digits.
    """
    return digest_of(project_id, space, source, relation).hex()[:32]


# The tokenizer of the index splits words after 255 characters.
MAX_WORD_LENGTH = 100
MAX_WORDS_OF_NAME = 64
# Lucene refuses a query of more than 1,024 clauses; a word takes three.
_MOST_WORDS = 300
_ONE_TYPO_LENGTH = 3
_TWO_TYPOS_LENGTH = 6

_SPECIAL = re.compile(r'([+\-&|!(){}\[\]^"~*?:\\/<>=])')


@lru_cache(maxsize=1024)
def term_prefix(project_id: str, space: str) -> str:
    """Returns the prefix of all words of a space: 16 hexadecimal digits."""
    return digest_of(project_id, space).hex()[:16]


def alias_term(project_id: str, space: str, name: str) -> str:
    """Returns the word for a whole name, which no single word of a name can equal."""
    return f"{digest_of(project_id, space, entity_key(name)).hex()[:32]}_"


def entity_terms(project_id: str, space: str, name: str, aliases: Sequence[str]) -> str:
    """Returns an entity's words for the index: the words of its names, and its whole aliases."""
    prefix = term_prefix(project_id, space)
    words = (word for each in (name, *aliases) for word in _words(each))
    whole = (alias_term(project_id, space, alias) for alias in aliases)
    return " ".join(dict.fromkeys([*(prefix + word for word in words), *whole]))


def terms_query(project_id: str, space: str, words: Sequence[str]) -> str:
    """Returns the query for the entities of a space whose names match each of the folded words.

    From best to worst, a word matches exactly, as a prefix, or with one or two different
    letters. Only the first words are used if there are very many.
    """
    prefix = term_prefix(project_id, space)
    wanted = list(dict.fromkeys(word[:MAX_WORD_LENGTH] for word in words))[:_MOST_WORDS]
    return " ".join(f"+({_word_query(prefix, word)})" for word in wanted)


def _words(name: str) -> Sequence[str]:
    return [word[:MAX_WORD_LENGTH] for word in words_of(name)[:MAX_WORDS_OF_NAME]]


def _word_query(prefix: str, word: str) -> str:
    term = prefix + _SPECIAL.sub(r"\\\1", word)
    alternatives = [f"{term}^8", f"{term}*^4"]
    if len(word) >= _ONE_TYPO_LENGTH:
        alternatives.append(f"{term}~{2 if len(word) >= _TWO_TYPOS_LENGTH else 1}")
    return " OR ".join(alternatives)


KEEP_PLAN: Final = "CYPHER replan=skip "
"""The prefix of statements whose plan must not depend on the data, so that it is made once."""


def given(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the parameters as one map, the parameter `$given`.

    Neo4j caches plans by the types of parameters, including the magnitudes of texts and lists, and
    planning again takes longer than searches wait. For a map, only its type is part of the key.
    """
    return {"given": dict(parameters)}
