"""Rules that hold for every plan, whatever a model answers."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from server.core.errors import ExtractionFailed
from server.memories.add.entity_resolution import MAX_ENTITIES
from server.memories.add.inference import (
    BUILT_IN_CATEGORIES,
    Candidate,
    InferenceRequest,
    ProposedEntity,
    ProposedOperation,
    ProposedRelation,
)
from server.memories.add.plan import Plan
from server.memories.add.proposals import MAX_TEXT_LENGTH
from server.memories.changes import Addition, Deletion, Update
from server.memories.conversation import Message, Role
from server.memories.memory import fact_digest
from tests.support.plans import quotes_of
from tests.support.proposals import (
    NOW,
    attempt,
    candidate,
    operation,
    request,
)

# Few letters, so that texts coincide, and any other character, including surrogates.
TEXTS = st.text("ab \n\u2019'\0.") | st.text(st.characters(), max_size=6)
NAMES = st.sampled_from(["User", "user", "Anna", " ", "\0", "\ud800"]) | TEXTS
MESSAGES = st.lists(
    st.builds(
        Message,
        role=st.sampled_from(Role),
        content=st.none() | st.sampled_from(["ab a\u2019b", "b\n\nA."]) | st.text(max_size=8),
    ),
    min_size=1,
    max_size=3,
)
CANDIDATES = st.lists(st.tuples(st.sampled_from(["a", "b", "ab"]), st.booleans()), max_size=3).map(
    lambda rows: [candidate(n, text, immutable=i) for n, (text, i) in enumerate(rows)]
)
OPERATIONS = st.lists(
    st.builds(
        ProposedOperation,
        action=st.sampled_from(["ADD", "UPDATE", "DELETE", "delete ", "FORGET", "?"]),
        text=st.sampled_from(["a", "A.", "b", "ab", "c"]) | TEXTS,
        message=st.integers(0, 4),
        quote=st.sampled_from(["a", "ab a'b", "b\nA", "B A."]) | TEXTS,
        target=st.none() | st.integers(0, 4),
        categories=st.lists(st.sampled_from(["food", "Food", "x"]) | TEXTS, max_size=3),
        entities=st.lists(st.builds(ProposedEntity, NAMES, TEXTS), max_size=3),
        relations=st.lists(st.builds(ProposedRelation, NAMES, TEXTS, NAMES), max_size=3),
    ),
    max_size=5,
)
SOUND_OPERATIONS = st.lists(
    st.builds(
        operation,
        action=st.sampled_from(["ADD", "UPDATE", "DELETE"]),
        text=st.sampled_from(["a", "A.", "b", "ab", "c"]),
        target=st.integers(1, 3),
    ),
    max_size=4,
)
SOUND_CANDIDATES = [candidate(n, text) for n, text in enumerate(["a", "b", "ab"])]


def check(given: InferenceRequest, operations: Sequence[ProposedOperation], made: Plan) -> None:
    """Checks every rule of a plan."""
    named = {
        given.candidates[o.target - 1].id
        for o in operations
        if o.target is not None
        and o.action.strip().upper() != "ADD"
        and 1 <= o.target <= len(given.candidates)
    }
    changed = [o.memory_id for o in made.changes if not isinstance(o, Addition)]
    assert set(changed) <= named
    assert len(set(changed)) == len(changed)
    assert not any(c.immutable for c in given.candidates if c.id in changed)
    digests = [fact_digest(o.text) for o in made.changes if not isinstance(o, Deletion)]
    assert len(set(digests)) == len(digests)
    assert not set(digests) & {fact_digest(c.text) for c in given.candidates}
    for planned in made.changes:
        if not isinstance(planned, Deletion):
            [evidence] = planned.evidence
            message = given.messages[evidence.message_id.int]
            assert message.role is Role.USER or isinstance(planned, Addition)
            assert (planned.role, planned.name) == (message.role, message.name)
            check_fact(planned)
    for passage in made.evidence:
        message = given.messages[passage.message_index]
        assert message.role is not Role.SYSTEM
        assert passage.text.strip()
        assert passage.text in (message.content or "")
    assert {quote for _, quote in quotes_of(made)} <= {passage.text for passage in made.evidence}
    if changed:
        roles = {given.messages[passage.message_index].role for passage in made.evidence}
        assert Role.USER in roles


def check_fact(planned: Addition | Update) -> None:
    assert 0 < len(planned.text.strip()) <= MAX_TEXT_LENGTH
    assert planned.text.isprintable() or not set(planned.text) & set("\0\n\t\r\x7f")
    assert len(set(planned.categories)) == len(planned.categories)
    assert set(planned.categories) <= {c.name for c in BUILT_IN_CATEGORIES}
    keys = [e.key for e in planned.entities]
    assert all(keys)
    assert len(set(keys)) == len(keys) <= MAX_ENTITIES
    for relation in planned.relations:
        assert relation.relation
        assert relation.source.key != relation.target.key
        assert {relation.source, relation.target} <= set(planned.entities)
    quotes = [evidence.quote for evidence in planned.evidence]
    stored = [planned.text, *quotes, *(e.name + e.type for e in planned.entities)]
    "".join(stored + [r.relation for r in planned.relations]).encode()


@given(MESSAGES, CANDIDATES, OPERATIONS)
def test_any_answer_is_refused_or_planned_by_the_rules(
    messages: list[Message], candidates: list[Candidate], operations: list[ProposedOperation]
) -> None:
    inference = InferenceRequest(messages, candidates, BUILT_IN_CATEGORIES, NOW)
    result = attempt(inference, operations)
    if isinstance(result, ExtractionFailed):
        assert result.metadata["cause"] in {"invalid", "unsupported"}
        assert result.problems
    else:
        check(inference, operations, result)


@settings(max_examples=300)
@given(SOUND_OPERATIONS)
def test_no_stated_fact_is_lost(operations: list[ProposedOperation]) -> None:
    inference = request(candidates=SOUND_CANDIDATES)
    result = attempt(inference, operations)
    if isinstance(result, ExtractionFailed):
        assert all("same candidate" in problem for problem in result.problems)
        return
    check(inference, operations, result)
    after = {c.id: c.text for c in SOUND_CANDIDATES}
    updated = set()
    for planned in result.changes:
        if isinstance(planned, Deletion):
            del after[planned.memory_id]
        elif isinstance(planned, Update):
            updated.add(after[planned.memory_id])
            after[planned.memory_id] = planned.text
    held = {fact_digest(text) for text in after.values()} | {
        fact_digest(o.text) for o in result.changes if isinstance(o, Addition)
    }
    stated = {fact_digest(o.text) for o in operations if o.action != "DELETE"}
    assert stated <= held | {fact_digest(text) for text in updated}
