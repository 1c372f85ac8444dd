"""After any changes of memories and faults of projectors, the graph equals its model.

`GRAPH_SEED` repeats a run.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import hypothesis
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    precondition,
    rule,
    run_state_machine_as_test,
)

from server.core.values import Neo4jAddress
from tests.support.graph_world import Project, Stores, open_stores
from tests.support.seeds import seed_of

SETTINGS = settings(
    max_examples=12,
    stateful_step_count=20,
    derandomize=False,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)

names = st.sampled_from(["Ann", "Bob", "Robert", "Bill", "Oslo", "Rome"])
triples = st.lists(
    st.tuples(names, st.sampled_from(["lives_in", "knows"]), names), max_size=3, unique=True
)
alias_owners = st.sampled_from([None, None, "Robert", "Bill"])
users = st.sampled_from(["ann", "ben"])
days = st.sampled_from([None, 0, 1])


class GraphMachine(RuleBasedStateMachine):
    """Changes of memories, faults of the projection, and comparisons of the graph in between."""

    def __init__(self, runner: asyncio.Runner, stores: Stores) -> None:
        super().__init__()
        self._runner = runner
        self._project: Project = stores.project()

    def _run(self, work: Coroutine[Any, Any, object]) -> None:
        self._runner.run(work)

    @rule(user=users, stated=triples, alias_of=alias_owners, days_kept=days)
    def add(
        self,
        user: str,
        stated: list[tuple[str, str, str]],
        alias_of: str | None,
        days_kept: int | None,
    ) -> None:
        self._run(self._project.add(user, stated, alias_of, days_kept))

    @precondition(lambda self: self._project.facts)
    @rule(choice=st.data(), stated=triples, alias_of=alias_owners)
    def update(
        self, choice: st.DataObject, stated: list[tuple[str, str, str]], alias_of: str | None
    ) -> None:
        self._run(self._project.update(self._one(choice), stated, alias_of))

    @precondition(lambda self: self._project.facts)
    @rule(choice=st.data())
    def delete(self, choice: st.DataObject) -> None:
        self._run(self._project.delete(self._one(choice)))

    @rule()
    def expire(self) -> None:
        self._run(self._project.next_day())

    @rule()
    def project(self) -> None:
        self._run(self._project.projector.project_once())

    @rule(in_graph=st.booleans())
    def die_while_projecting(self, in_graph: bool) -> None:
        self._run(self._project.stop_projecting(in_graph=in_graph))

    @rule(when=st.sampled_from(["before", "after"]))
    def fail_to_write(self, when: str) -> None:
        self._project.graph.fails = when
        self._run(self._project.projector.project_once())
        self._project.graph.fails = None

    @rule(lost=st.booleans())
    def rebuild(self, lost: bool) -> None:
        if lost:
            self._run(self._project.lose_graph())
        self._run(self._project.catch_up())
        self._run(self._project.rebuild(self._project.id))

    @rule()
    def compare(self) -> None:
        self._run(self._compare())

    def teardown(self) -> None:
        self._run(self._compare())

    async def _compare(self) -> None:
        await self._project.catch_up()
        actual, model = await self._project.compared()
        assert actual == model
        report = await self._project.verify(self._project.id)
        assert report.is_equal, report.differences

    def _one(self, choice: st.DataObject) -> int:
        return choice.draw(st.sampled_from(sorted(self._project.facts)))


def test_the_graph_follows_its_model(postgres_dsn: str, neo4j_address: Neo4jAddress) -> None:
    seed = seed_of("GRAPH_SEED")
    with asyncio.Runner() as runner:
        opened = open_stores(postgres_dsn, neo4j_address)
        stores = runner.run(opened.__aenter__())

        class Bound(GraphMachine):
            def __init__(self) -> None:
                super().__init__(runner, stores)

        try:
            run_state_machine_as_test(hypothesis.seed(seed)(Bound), settings=SETTINGS)
        finally:
            runner.run(opened.__aexit__(None, None, None))
