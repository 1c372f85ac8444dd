"""No statement's cost grows with the database: each starts at an index, and pages end early."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

import pytest
from neo4j import AsyncDriver

from server.graph.ports import RelationQuery
from server.memories.scope import SCOPE_FIELDS, Scope
from server.storage.neo4j.exploring import relations_parameters, relations_statement
from server.storage.neo4j.terms import given
from server.storage.statements import load_cypher
from tests.support.neo4j import WholeGraph
from tests.support.subgraphs import PROJECT, cursor_after, stating

SCOPES = [
    Scope(**{field: "x" for field, named in zip(SCOPE_FIELDS, choice, strict=True) if named})
    for choice in product([False, True], repeat=len(SCOPE_FIELDS))
    if any(choice)
]
PROJECTION = load_cypher("server.storage.neo4j", "projection.cypher")


def operators(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("children", []):
        yield from operators(child)


def names(plan: dict[str, Any]) -> list[str]:
    return [operator["operatorType"].partition("@")[0] for operator in operators(plan)]


async def plan_of(
    driver: AsyncDriver, statement: str, parameters: dict[str, Any], mode: str = "EXPLAIN"
) -> dict[str, Any]:
    result = await driver.execute_query(f"{mode} {statement}", given(parameters))
    plan = result.summary.profile if mode == "PROFILE" else result.summary.plan
    assert plan is not None
    return plan


@pytest.mark.parametrize("scope", SCOPES, ids=lambda scope: "+".join(f for f, _ in scope.parts()))
async def test_a_page_is_read_from_an_index_in_its_order(
    graph: WholeGraph, neo4j_driver: AsyncDriver, scope: Scope
) -> None:
    query = RelationQuery(PROJECT, scope, limit=10, entity="a", relation="knows")
    plan = await plan_of(neo4j_driver, relations_statement(scope), relations_parameters(query))
    found = names(plan)
    assert found[-1] == "DirectedRelationshipIndexSeek"
    assert not any("Scan" in name for name in found)
    assert "PartialSort" in found
    assert not {"Sort", "Top"}.intersection(found)


@pytest.mark.parametrize("field", SCOPE_FIELDS)
async def test_a_page_costs_what_it_holds(
    graph: WholeGraph, neo4j_driver: AsyncDriver, field: str
) -> None:
    """Also where the statistics say that all relations are of one scope."""
    whole, scope = Scope("x", "x", "x", "x"), Scope(**{field: "x"})
    await graph.project(
        [stating(n, ("A", "knows", "B"), scope=whole, minute=n // 3) for n in range(150)]
    )
    middle = (await graph.list_relations(RelationQuery(PROJECT, scope, limit=75)))[-1]
    for after in (None, cursor_after(middle)):
        query = RelationQuery(PROJECT, scope, limit=10, after=after)
        plan = await plan_of(
            neo4j_driver, relations_statement(scope), relations_parameters(query), "PROFILE"
        )
        [seek] = [o for o in operators(plan) if "IndexSeek" in o["operatorType"]]
        assert 10 <= seek["args"]["Rows"] <= 10 + 2 * 3


@pytest.mark.parametrize("name", list(PROJECTION))
async def test_a_projection_never_scans(
    graph: WholeGraph, neo4j_driver: AsyncDriver, name: str
) -> None:
    found = names(await plan_of(neo4j_driver, PROJECTION[name], {}))
    assert any("Seek" in operator for operator in found)
    assert not any("Scan" in operator for operator in found)
