"""The condition that keeps a read within a scope."""

from __future__ import annotations

from server.domain.scope import Scope


def scope_condition(scope: Scope, first_parameter: int) -> tuple[str, list[str]]:
    """The SQL condition on the named parts of a scope, and the values to bind to it.

    The columns come from the fixed list of scope fields; the values are bound, from
    `$first_parameter` on. A statement per combination of parts lets PostgreSQL plan each with the
    index that it has, which one statement with `OR ... IS NULL` for each part would not.
    """
    parts = scope.parts()
    conditions = [f"m.{field} = ${first_parameter + i}" for i, (field, _) in enumerate(parts)]
    return " AND ".join(conditions) or "true", [value for _, value in parts]
