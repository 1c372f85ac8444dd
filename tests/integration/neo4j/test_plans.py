"""No statement's cost grows with the database: each starts at an index, and pages end early."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from neo4j import AsyncDriver

from server.graph.ports import GraphScope, RelationQuery
from server.storage.neo4j.exploring import STATEMENTS, relations_parameters
from server.storage.neo4j.graph import Neo4jGraph
from server.storage.neo4j.terms import given
from server.storage.statements import load_cypher
from tests.support.subgraphs import ALICE, PROJECT, cursor_after, stating

RELATION_PAGE = STATEMENTS["relation_page"]
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


async def test_a_page_is_read_from_an_index_in_its_order(
    graph: Neo4jGraph, neo4j_driver: AsyncDriver
) -> None:
    query = RelationQuery(GraphScope(PROJECT, ALICE), limit=10, entity="a", relation="knows")
    plan = await plan_of(neo4j_driver, RELATION_PAGE, relations_parameters(query))
    found = names(plan)
    assert found[-1] == "DirectedRelationshipIndexSeek"
    assert not any("Scan" in name for name in found)
    assert "PartialSort" in found
    assert not {"Sort", "Top"}.intersection(found)


async def test_a_page_costs_what_it_holds(graph: Neo4jGraph, neo4j_driver: AsyncDriver) -> None:
    """Also where the statistics say that all relations are of one user."""
    await graph.project([stating(n, ("A", "knows", "B"), minute=n // 3) for n in range(150)])
    middle = (await graph.list_relations(RelationQuery(GraphScope(PROJECT, ALICE), limit=75)))[-1]
    for after in (None, cursor_after(middle)):
        query = RelationQuery(GraphScope(PROJECT, ALICE), limit=10, after=after)
        plan = await plan_of(neo4j_driver, RELATION_PAGE, relations_parameters(query), "PROFILE")
        [seek] = [o for o in operators(plan) if "IndexSeek" in o["operatorType"]]
        assert 10 <= seek["args"]["Rows"] <= 10 + 2 * 3


@pytest.mark.parametrize("name", list(PROJECTION))
async def test_a_projection_never_scans(
    graph: Neo4jGraph, neo4j_driver: AsyncDriver, name: str
) -> None:
    found = names(await plan_of(neo4j_driver, PROJECTION[name], {}))
    assert any("Seek" in operator for operator in found)
    assert not any("Scan" in operator for operator in found)
