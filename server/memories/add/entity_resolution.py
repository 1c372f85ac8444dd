"""Finds the entity that a model means, and cleans the model's entities and relations."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property, lru_cache

from server.graph.model import Entity, Relation, cut_name, entity_key, relation_name
from server.memories.add.inference import ProposedEntity, ProposedRelation
from server.memories.add.quotes import clean_text

MAX_ALIASES = 8
"""The maximum number of aliases of an entity that a memory can state."""

MIN_CORE_LENGTH = 4
"""The minimum number of characters that two similar names must share."""

# Languages such as Russian decline names, mostly by their last letters.
_MIN_STEM_LENGTH = 3
_MAX_ENDING_LENGTH = 3


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_LEGAL_FORMS = _words(
    "ab ag as asa bv co company corp corporation gmbh inc incorporated kg limited llc llp ltd nv oy"
    " oyj plc pty sa sarl se spa srl"
)
_BEFORE_NAMES = _words("doctor dr herr frau lady lord madam miss mr mrs ms prof professor sir the")
_DETERMINERS = _words("a an her his its my our that the their these this those your")
_GENERIC = _words(
    "agent assistant boss boy boyfriend brother business city client coach colleague country"
    " customer dad daddy daughter doctor family father firm friend girl girlfriend group guy he her"
    " him home house husband i it kid man manager me mom mommy mother mum my partner people person"
    " place she sister son speaker somebody someone something store team that them they thing this"
    " town us user we wife woman you"
)
_MEANS_NOBODY = _GENERIC | _LEGAL_FORMS
_TOKEN = re.compile(r"[^\W_]+(?:['\u2019][^\W_]+)*")


class KnownEntities:
    """The entities known in a scope, to be found by their number, key or similar name."""

    def __init__(self, entities: Sequence[Entity] = ()) -> None:
        self._entities = entities
        self._keys = {entity.key for entity in entities}

    def numbered(self, number: int | None) -> Entity | None:
        """Returns the entity with this number, counted from 1, if there is one."""
        if number is None or not 1 <= number <= len(self._entities):
            return None
        return self._entities[number - 1]

    def alike(self, entity: Entity) -> Entity | None:
        """Returns the only entity with a similar name, unless an entity has exactly this name."""
        if entity.key in self._keys:
            return None
        similar = self._by_core.get(_core(entity.name), ())
        alike = [
            known
            for known in similar
            if _agree(known, entity) and are_alike(known.name, entity.name)
        ]
        return alike[0] if len(alike) == 1 else None

    @cached_property
    def _by_core(self) -> Mapping[tuple[str, ...], Sequence[Entity]]:
        by_core: dict[tuple[str, ...], list[Entity]] = {}
        for entity in self._entities:
            by_core.setdefault(_core(entity.name), []).append(entity)
        return by_core


class EntityResolver:
    """Resolves proposed entities, given the scope's known entities and the text that names them."""

    def __init__(self, known: KnownEntities, text: str) -> None:
        self._known = known
        self._text = text

    def resolve(self, proposed: ProposedEntity) -> Entity:
        """Returns the entity with its aliases. Its name may be empty."""
        entity = Entity(_name(proposed.name), relation_name(proposed.type))
        aliases = [alias for alias in map(_name, proposed.aliases) if self._is_name(alias, entity)]
        same = self._by_number(proposed, entity) or self._known.alike(entity)
        if same is None:
            return Entity(entity.name, entity.type, _distinct(aliases, entity.key))
        names = _distinct([entity.name, *aliases], same.key)
        return Entity(same.name, entity.type or same.type, names)

    def _is_name(self, alias: str, entity: Entity) -> bool:
        """Whether both are names, not descriptions, and in the text."""
        return all(not is_generic(name) and self._is_in_text(name) for name in (alias, entity.name))

    def _by_number(self, proposed: ProposedEntity, entity: Entity) -> Entity | None:
        known = self._known.numbered(proposed.known)
        if known is None:
            return None
        fits = (
            _agree(known, entity)
            and not is_generic(entity.name)
            and not is_generic(known.name)
            and self._is_in_text(entity.name)
        )
        return known if fits and known.key != entity.key else None

    def _is_in_text(self, name: str) -> bool:
        return _as_words(name) in self._words

    @cached_property
    def _words(self) -> str:
        """The text as words, which only aliases and numbers of entities need."""
        return _as_words(self._text)


def known_entities(mentioned: Iterable[Entity], limit: int) -> list[Entity]:
    """Returns each entity once, in its first spelling; at most `limit`."""
    found: dict[str, Entity] = {}
    for entity in mentioned:
        key = entity.key
        first = found.get(key)
        if first is None:
            if key and len(found) < limit:
                found[key] = Entity(entity.name, entity.type)
        elif entity.type and not first.type:
            found[key] = Entity(first.name, entity.type)
    return list(found.values())


def are_alike(one: str, other: str) -> bool:
    """Whether two names differ only in legal forms, titles, articles and punctuation.

    The letters must be the same: Anna is not Hanna, and Johnson is not Johnston.
    """
    core = _core(one)
    return core == _core(other) and len("".join(core)) >= MIN_CORE_LENGTH and not is_generic(one)


def contains_name(name: str, text: str) -> bool:
    """Whether a text contains the words of a name, one after the other."""
    return _as_words(name) in _as_words(text)


def is_mentioned(name: str, folded: str) -> bool:
    """Whether a text contains a word of a name, possibly with another ending: `Prague`, `Praze`.

    The text is folded by `entity_key`.
    """
    stems = [
        token[: max(_MIN_STEM_LENGTH, len(token) - _MAX_ENDING_LENGTH)] for token in _tokens(name)
    ]
    return entity_key(name) in folded or any(stem in folded for stem in stems)


def is_generic(name: str) -> bool:
    """Whether a name is generic, so that it could mean any person or thing of a kind."""
    tokens = _tokens(name)
    while tokens and tokens[0] in _DETERMINERS:
        tokens = tokens[1:]
    return _MEANS_NOBODY.issuperset(tokens)


# The known entities of a scope are mostly the same as in the previous add.
@lru_cache(maxsize=8_192)
def _core(name: str) -> tuple[str, ...]:
    tokens = _tokens(name)
    while len(tokens) > 1 and tokens[0] in _BEFORE_NAMES:
        tokens = tokens[1:]
    while len(tokens) > 1 and tokens[-1] in _LEGAL_FORMS:
        tokens = tokens[:-1]
    return tuple(tokens)


def _agree(known: Entity, entity: Entity) -> bool:
    return not known.type or not entity.type or known.type == entity.type


def _distinct(names: Iterable[str], own_key: str) -> tuple[str, ...]:
    keyed = {entity_key(name): name for name in reversed(list(names))}
    return tuple(name for key, name in reversed(keyed.items()) if key and key != own_key)[
        :MAX_ALIASES
    ]


def _as_words(text: str) -> str:
    return f" {' '.join(_tokens(text))} "


def _tokens(text: str) -> list[str]:
    return _TOKEN.findall(entity_key(text).replace("\u2019", "'"))


def _name(text: str) -> str:
    return cut_name(clean_text(text))


MAX_ENTITIES = 50
"""The maximum number of entities of a memory."""

MAX_RELATIONS = 50
"""The maximum number of relations of a memory."""


def checked_graph(
    entities: Sequence[ProposedEntity],
    relations: Sequence[ProposedRelation],
    resolver: EntityResolver | None = None,
) -> tuple[tuple[Entity, ...], tuple[Relation, ...]]:
    """Returns the usable entities and relations, each once and within the limits.

    Both ends of every relation are among the entities, with the same spelling and type. Relations
    of an entity with itself are left out.
    """
    named = _named(entities, resolver or EntityResolver(KnownEntities(), ""))
    chosen: dict[str, Entity] = {}
    stated: dict[tuple[str, str, str], Relation] = {}
    for proposed in relations:
        relation = _relation(proposed, chosen, named)
        if relation is None or len(stated) == MAX_RELATIONS:
            continue
        ends = {end.key: named.get(end.key, end) for end in (relation.source, relation.target)}
        if len(chosen.keys() | ends.keys()) <= MAX_ENTITIES:
            chosen.update(ends)
            stated.setdefault(relation.identity, relation)
    for entity in named.values():
        if len(chosen) < MAX_ENTITIES:
            chosen.setdefault(entity.key, entity)
    return tuple(chosen.values()), tuple(stated.values())


def _named(entities: Sequence[ProposedEntity], resolver: EntityResolver) -> dict[str, Entity]:
    """Returns the entities by their own keys and by the keys of the names used for them here.

    The first spelling and the first type are kept.
    """
    named: dict[str, Entity] = {}
    for proposed in entities:
        entity = resolver.resolve(proposed)
        called = entity_key(_name(proposed.name))
        if not called:
            continue
        known = named.get(entity.key, named.get(called))
        if known is not None:
            aliases = tuple(dict.fromkeys((*known.aliases, *entity.aliases)))
            entity = Entity(known.name, known.type or entity.type, aliases)
        named[entity.key] = named[called] = entity
    return named


def _relation(
    proposed: ProposedRelation, chosen: Mapping[str, Entity], named: Mapping[str, Entity]
) -> Relation | None:
    relation = relation_name(proposed.relation)
    source, target = (
        _end(_name(name), chosen, named) for name in (proposed.source, proposed.target)
    )
    if not (relation and source.key and target.key) or source.key == target.key:
        return None
    return Relation(source, relation, target)


def _end(name: str, chosen: Mapping[str, Entity], named: Mapping[str, Entity]) -> Entity:
    key = entity_key(name)
    found = named.get(key) or chosen.get(key) or Entity(name)
    return Entity(found.name, found.type)
