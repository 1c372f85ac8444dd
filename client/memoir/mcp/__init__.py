"""Memories as tools of the Model Context Protocol. Needs the extra `mcp`."""

from __future__ import annotations

from collections.abc import Callable

from memoir.options import Scope


def fixed_scope(value_of: Callable[[str], str | None]) -> Scope:
    """Returns the scope in the configuration of an agent; `value_of` returns each part or None."""
    scope = Scope()
    if user_id := value_of("user_id"):
        scope["user_id"] = user_id
    if agent_id := value_of("agent_id"):
        scope["agent_id"] = agent_id
    if app_id := value_of("app_id"):
        scope["app_id"] = app_id
    if run_id := value_of("run_id"):
        scope["run_id"] = run_id
    return scope
