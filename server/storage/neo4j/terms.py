"""Keys and words of names as the graph stores them, and the parameters of statements.

The index is one for all projects, and so are its words: how many of them begin alike or resemble
each other would depend on what others store. So each word begins with a digest of its project and
space: a query finds, and costs, what one space holds. What a client writes is never part of the
query's syntax: words hold letters, digits and marks only, and whatever Lucene's query parser knows
(org.apache.lucene.queryparser.classic) is escaped nevertheless.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

from server.core.values import digest_of
from server.graph.model import entity_key, words_of

# An entry of a Neo4j range index holds about 8,000 bytes: here project, space and key.
MAX_KEY_BYTES = 2048
_SURELY_SHORT = MAX_KEY_BYTES // 4
_KEPT_BYTES = 1024
_SLOT_BYTES = 2


def is_storable(key: str) -> bool:
    """Whether an index accepts an entity's key as it is."""
    return len(key) <= _SURELY_SHORT or len(key.encode()) <= MAX_KEY_BYTES


def index_key(key: str) -> str:
    """An entity's key as the graph stores it: the key itself, or what stands for a long one.

    Folding can lengthen a name 18 times (U+FDFA), so a name of legal length can have a key that no
    index accepts. The start of such a key is kept for the order and the rest is digested; a line
    break, which no key contains, distinguishes it from keys that only look like it.
    """
    if is_storable(key):
        return key
    encoded = key.encode()
    start = encoded[:_KEPT_BYTES].decode(errors="ignore")
    return f"{start}\n{hashlib.sha256(encoded).hexdigest()}"


def space_slot(project_id: str, space: str) -> int:
    """The number, of 65,536, of the lock that guards a space's entities.

    Spaces that share a number merely wait for each other.
    """
    name = f"{len(project_id)}:{project_id}{space}".encode()
    return int.from_bytes(hashlib.sha256(name).digest()[:_SLOT_BYTES], "big")


def slot_key(project_id: str, space: str, source: str, relation: str) -> str:
    """Returns the key, in 32 hexadecimal digits, of a subject and a functional relation."""
    return digest_of(project_id, space, source, relation).hex()[:32]


# The tokenizer of the index cuts words at 255 characters.
MAX_WORD_LENGTH = 100
MAX_WORDS_OF_NAME = 64
# Lucene refuses a query of more than 1,024 clauses; a word takes three.
_MOST_WORDS = 300
_SHORTEST_FUZZY = 3
_SHORTEST_FUZZIER = 6

_SPECIAL = re.compile(r'([+\-&|!(){}\[\]^"~*?:\\/<>=])')


@lru_cache(maxsize=1024)
def term_prefix(project_id: str, space: str) -> str:
    """Returns the prefix of all words of a space: 16 hexadecimal digits."""
    return digest_of(project_id, space).hex()[:16]


def alias_term(project_id: str, space: str, name: str) -> str:
    """Returns the word for a whole name, which no single word of a name can equal."""
    return f"{digest_of(project_id, space, entity_key(name)).hex()[:32]}_"


def entity_terms(project_id: str, space: str, name: str, aliases: Sequence[str]) -> str:
    """What the index holds of an entity: the words of its names, and its aliases as a whole."""
    prefix = term_prefix(project_id, space)
    words = (word for each in (name, *aliases) for word in _words(each))
    whole = (alias_term(project_id, space, alias) for alias in aliases)
    return " ".join(dict.fromkeys([*(prefix + word for word in words), *whole]))


def terms_query(project_id: str, space: str, words: Sequence[str]) -> str:
    """The query for the entities of a space whose names hold each of the folded words.

    A word matches exactly, as a beginning, or with one or two different letters, in this order of
    merit. Of very many words only the first ones count.
    """
    prefix = term_prefix(project_id, space)
    wanted = list(dict.fromkeys(word[:MAX_WORD_LENGTH] for word in words))[:_MOST_WORDS]
    return " ".join(f"+({_word(prefix, word)})" for word in wanted)


def _words(name: str) -> Sequence[str]:
    return [word[:MAX_WORD_LENGTH] for word in words_of(name)[:MAX_WORDS_OF_NAME]]


def _word(prefix: str, word: str) -> str:
    term = prefix + _SPECIAL.sub(r"\\\1", word)
    ways = [f"{term}^8", f"{term}*^4"]
    if len(word) >= _SHORTEST_FUZZY:
        ways.append(f"{term}~{2 if len(word) >= _SHORTEST_FUZZIER else 1}")
    return " OR ".join(ways)


KEEP_PLAN: Final = "CYPHER replan=skip "
"""Precedes a statement whose plan must not depend on what is stored, so that it is planned once."""


def given(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters as one map, the parameter `$given`.

    Neo4j keeps a statement's plan by the types of its parameters, by the magnitudes of texts and
    lists too, and to plan one again takes longer than searches wait. Of a map it knows no more than
    that it is one.
    """
    return {"given": dict(parameters)}
