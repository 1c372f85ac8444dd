"""Counts of what a project holds and of what changed in it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Holdings:
    """What the store holds of a project: visible memories, messages, scopes with memories."""

    memories: int = 0
    messages: int = 0
    scopes: int = 0


@dataclass(frozen=True, slots=True)
class ChangeCounts:
    """Memories changed in a span of time, by all servers."""

    added: int = 0
    updated: int = 0
    deleted: int = 0
    restored: int = 0


@dataclass(frozen=True, slots=True)
class GraphCounts:
    """What the graph holds of a project."""

    entities: int = 0
    relations: int = 0
