"""Recall by the relations of a question's entities, on PostgreSQL."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from itertools import count

import pytest

from server.graph.model import Entity, Relation, StatedRelation, clean_name, entity_key
from server.graph.names import Split
from server.memories.changes import Deletion
from server.memories.memory import fact_digest
from server.memories.queries import RecallQuery
from server.memories.scope import Scope
from server.memories.search.question_clues import Recollection, names_in
from server.storage.postgres.memory_store import PostgresMemoryStore
from server.storage.postgres.pool import Database
from server.storage.postgres.recall import FAR, NEAR, WIDEST
from tests.support.builders import (
    ALICE,
    NOW,
    PROJECT,
    NewMemory,
    addition,
    call,
    change_set,
    revision,
)
from tests.support.subgraphs import Triple, triple

WORKS = ("Alice", "works_at", "Acme")
LIVES = ("Alice", "lives_in", "Oslo")
MOVES = ("Alice", "lives_in", "Rome")
KNOWS = ("Bob", "knows", "Alice")
MAKES = ("Acme", "makes", "Anvils")
ROBERT = Entity("Robert Smith", "person", aliases=("Bob",))
AT_AGENT = Scope(agent_id="helper")
RUN_1 = Scope(agent_id="helper", run_id="run-1")
RUN_2 = Scope(agent_id="helper", run_id="run-2")
TOMORROW = NOW + timedelta(days=1)
HOSTILE = [
    'O\'Brien "the" `tick`',
    "x'); DROP TABLE memories; --",
    "$1 {scope r} %s",
    "\u202eright\u202c-to-left",
    "ﷺ" * 500,
    "नमस्ते दुनिया",
]


@dataclass
class World:
    """A store whose memories can be recalled."""

    database: Database

    def __post_init__(self) -> None:
        """Opens the store on the database."""
        self.store = PostgresMemoryStore(self.database, on_commit=lambda: None)
        self._numbers = count()

    async def knows(
        self,
        *triples: Triple,
        scope: Scope = ALICE,
        project_id: str = PROJECT,
        minute: int = 0,
        entities: tuple[Entity, ...] = (),
        expires: date | None = None,
    ) -> NewMemory:
        """Stores a memory that states these relations, this many minutes after the others."""
        new_call = call(scope=scope, project_id=project_id, time=NOW + timedelta(minutes=minute))
        stated = [Relation(Entity(s), kind, Entity(t)) for s, kind, t in triples]
        text = f"memory {next(self._numbers)}"
        item = addition(
            new_call, text, entities=entities, relations=stated, expiration_date=expires
        )
        await self.store.commit(change_set(new_call, [], [item]))
        return item

    async def recalled(
        self, question: str, scope: Scope = ALICE, at: datetime = NOW + timedelta(hours=1)
    ) -> Recollection:
        """Returns what is recalled for the question."""
        names = [entity_key(question), *names_in(question)]
        return await self.store.recall(RecallQuery(PROJECT, scope, names, at, with_relations=True))

    async def near(self, question: str, scope: Scope = ALICE) -> set[Triple]:
        """Returns the relations of the entities in the question."""
        return {triple(stated) for stated in (await self.recalled(question, scope)).relations}


@pytest.fixture
def world(database: Database) -> World:
    return World(database)


async def test_a_question_leads_to_relations_and_those_one_hop_further(world: World) -> None:
    knows, works, makes = [await world.knows(each) for each in (KNOWS, WORKS, MAKES)]
    found = await world.recalled("What of Bob?")
    clues = {clue.memory_id: (clue.degree, clue.through) for clue in found.clues}
    assert clues == {knows.memory.id: (1, 0), works.memory.id: (1, 2)}
    assert [triple(stated) for stated in found.relations] == [KNOWS]
    found = await world.recalled("Does Alice know?")
    clues = {clue.memory_id: (clue.degree, clue.through) for clue in found.clues}
    assert clues == {
        knows.memory.id: (2, 0),
        works.memory.id: (2, 0),
        makes.memory.id: (2, 2),
    }
    assert (await world.recalled("What is new?")).clues == []


async def test_relations_come_as_their_memory_states_them(world: World) -> None:
    new_call = call()
    alice, acme = Entity("Alice", "person"), Entity("Acme", "company")
    stated = [Relation(alice, "likes", Entity("Tea")), Relation(alice, "works_at", acme)]
    item = addition(new_call, "a fact", relations=stated)
    await world.store.commit(change_set(new_call, [], [item]))
    found = await world.recalled("acme")
    assert found.relations == [StatedRelation(stated[1], item.memory.id, item.memory.event_time)]
    plain = await world.store.recall(RecallQuery(PROJECT, ALICE, ["acme"], NOW))
    assert plain.relations == []
    assert set(plain.clues) == set(found.clues)


async def test_a_question_leads_by_an_alias_in_both_directions(world: World) -> None:
    await world.knows(("Robert Smith", "likes", "Tea"), entities=(ROBERT,))
    await world.knows(("Bob", "plays", "Chess"))
    both = {("Robert Smith", "likes", "Tea"), ("Bob", "plays", "Chess")}
    assert await world.near("What does Bob drink?") == both
    assert await world.near("And Robert Smith?") == both


async def test_an_alias_that_was_split_leads_nowhere(world: World) -> None:
    await world.knows(("Robert Smith", "likes", "Tea"), entities=(ROBERT,))
    assert await world.near("Bob")
    split = Split("user:alice", "Robert Smith", "Bob", NOW)
    await world.store.split(PROJECT, split)
    assert not await world.near("Bob")


async def test_nothing_is_recalled_of_other_projects_spaces_and_scopes(world: World) -> None:
    await world.knows(WORKS, project_id="other")
    await world.knows(WORKS, scope=Scope(user_id="bob"))
    await world.knows(LIVES, scope=Scope(user_id="alice", run_id="run-1"))
    assert await world.near("Alice") == {LIVES}
    assert await world.near("Alice", Scope(user_id="alice", run_id="run-2")) == set()


async def test_counts_and_aliases_come_from_the_scope_and_not_from_another_run(
    world: World,
) -> None:
    stating = ("Robert Smith", "likes", "Tea")
    await world.knows(stating, ("Alice", "knows", "Oslo"), scope=RUN_1, entities=(ROBERT,))
    await world.knows(LIVES, scope=RUN_2)
    await world.knows(MOVES, scope=RUN_1, minute=5)
    assert await world.near("Bob", RUN_1) == {stating}
    assert await world.near("Bob", RUN_2) == set()
    assert await world.near("Bob", AT_AGENT) == {stating}
    # Run 1 learns later that Alice has moved, which run 2 cannot know.
    assert await world.near("Alice", RUN_2) == {LIVES}
    assert LIVES not in await world.near("Alice", AT_AGENT)
    [clue] = (await world.recalled("Oslo", RUN_2)).clues
    assert clue.degree == 1


async def test_a_scope_without_user_reads_the_spaces_of_its_memories(world: World) -> None:
    await world.knows(WORKS, scope=Scope(user_id="alice", agent_id="helper"))
    await world.knows(LIVES, scope=Scope(user_id="alice", agent_id="other"))
    await world.knows(KNOWS, scope=RUN_1)
    assert await world.near("Alice", AT_AGENT) == {WORKS, KNOWS}


async def test_superseded_relations_are_not_recalled(world: World) -> None:
    await world.knows(LIVES, minute=1)
    await world.knows(MOVES, minute=5)
    await world.knows(("Alice", "likes", "Tea"), minute=1)
    await world.knows(("Alice", "likes", "Milk"), minute=5)
    likes = {("Alice", "likes", "Tea"), ("Alice", "likes", "Milk")}
    assert await world.near("Alice") == {MOVES, *likes}
    before = await world.recalled("Alice", at=NOW + timedelta(minutes=3))
    assert LIVES in {triple(stated) for stated in before.relations}


@pytest.mark.parametrize("relation", ["favorite_color", "favourite_food"])
async def test_favourites_supersede_each_other(world: World, relation: str) -> None:
    await world.knows(("Alice", relation, "one"), minute=1)
    await world.knows(("Alice", relation, "two"), minute=2)
    assert await world.near("Alice") == {("Alice", relation, "two")}


async def test_a_value_that_is_stated_again_beside_another_one_is_current(world: World) -> None:
    await world.knows(LIVES, minute=1)
    await world.knows(LIVES, MOVES, minute=2)
    assert await world.near("Alice") == {LIVES, MOVES}
    assert len((await world.recalled("Alice")).relations) == 3


async def test_changed_deleted_and_expired_memories_lead_nowhere(world: World) -> None:
    item = await world.knows(WORKS)
    new_call = call(time=NOW + timedelta(minutes=1))
    changed = replace(
        revision(item, "other"),
        digest=fact_digest("other"),
        relations=[Relation(Entity("Alice"), "likes", Entity("Tea"))],
    )
    await world.store.commit(change_set(new_call, updated=[changed]))
    assert await world.near("Alice") == {("Alice", "likes", "Tea")}
    new_call = call(time=NOW + timedelta(minutes=2))
    await world.store.commit(change_set(new_call, deleted=[Deletion(item.memory.id, 2)]))
    assert not (await world.recalled("Alice")).has_entities
    await world.knows(WORKS, expires=NOW.date())
    assert await world.near("Alice") == {WORKS}
    assert not (await world.recalled("Alice", at=TOMORROW)).has_entities


async def test_entities_with_very_many_relations_are_not_followed(world: World) -> None:
    alice = await world.knows(LIVES)
    for number in range(WIDEST):
        await world.knows((f"Person {number}", "lives_in", "Oslo"), minute=1)
    assert {clue.memory_id for clue in (await world.recalled("Alice")).clues} == {alice.memory.id}
    assert len((await world.recalled("Oslo")).clues) == NEAR


async def test_of_second_hops_the_newest_through_the_rarest_entities_count(world: World) -> None:
    await world.knows(("Alice", "knows", "Bob"), ("Alice", "knows", "Acme"))
    for number in range(FAR):
        await world.knows(("Acme", "makes", f"Part {number}"), minute=number)
    plays = await world.knows(("Bob", "plays", "Chess"))
    further = [clue for clue in (await world.recalled("Alice")).clues if clue.through]
    assert len(further) == FAR
    assert plays.memory.id in {clue.memory_id for clue in further}


async def test_a_recall_reports_whether_the_scope_has_relations(world: World) -> None:
    await world.knows(WORKS)
    assert (await world.recalled("nothing")).has_entities
    assert not (await world.recalled("alice", Scope(user_id="nobody"))).has_entities


async def test_a_scope_that_names_nothing_is_refused(world: World) -> None:
    with pytest.raises(ValueError, match="graph space"):
        await world.recalled("alice", Scope())


@pytest.mark.parametrize("name", HOSTILE)
async def test_hostile_questions_are_data(world: World, name: str) -> None:
    await world.knows((name, "knows", "Bob"))
    assert await world.near(name) == {(name, "knows", "Bob")}


async def test_postgresql_folds_names_as_the_graph_does(database: Database) -> None:
    async with database.connection() as connection:
        names = [
            clean_name(f"a {chr(point)}B\u0301 c")
            for point in range(0x20, 0x30000)
            if unicodedata.category(chr(point)) not in {"Cs", "Cn", "Co", "Cc"}
        ]
        found = await connection.fetch(
            "SELECT name, entity_key_of(name) AS key FROM unnest($1::text[]) AS given (name)",
            names,
        )
    wrong = [row["name"] for row in found if row["key"] != entity_key(row["name"])]
    assert wrong == []
