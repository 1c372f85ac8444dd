"""One fact, one memory: operations that repeat or contradict each other, or what is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from server.domain.inference import Candidate
from server.domain.memory import fact_digest
from server.domain.planning_checks import Proposal
from server.domain.planning_operations import AddFact, DeleteFact, PlannedOperation, UpdateFact
from server.domain.planning_screening import Screened


def merge_repeats(screened: Sequence[Screened]) -> list[Screened]:
    """Proposals that say the same thing become one, in the place of the first.

    Two ADDs of one fact are the same, and so are two changes of one candidate to one end.
    """
    merged: dict[tuple[UUID | None, bytes], Screened] = {}
    for item in screened:
        proposal = item.proposal
        candidate = proposal.candidate.id if proposal.candidate else None
        key = (candidate, fact_digest(proposal.text) if proposal.text else b"")
        merged[key] = _merged(merged[key], item) if key in merged else item
    return list(merged.values())


def conflicts(proposals: Sequence[Proposal]) -> list[str]:
    """The candidates that more than one proposal would change, as problems."""
    numbers: dict[UUID, list[str]] = {}
    for proposal in proposals:
        if proposal.candidate is not None:
            numbers.setdefault(proposal.candidate.id, []).append(str(proposal.number))
    return [
        f"operations {', '.join(several)} change the same candidate"
        for several in numbers.values()
        if len(several) > 1
    ]


def settle(
    operations: Sequence[PlannedOperation], candidates: Sequence[Candidate]
) -> list[PlannedOperation | None]:
    """What each operation comes to, so that every fact is held once; None where to nothing.

    - What the answer states anew is not deleted.
    - A fact that a candidate holds is not added again.
    - An UPDATE to a fact that another memory holds, or gets, leaves nothing of its candidate, so
      it is a DELETE; but if that other memory is itself updated, the two contradict each other
      and the candidate is left alone.
    """
    facts = _Facts(operations, candidates)
    settled: list[PlannedOperation | None] = [None] * len(operations)
    for index, operation in enumerate(operations):
        if not isinstance(operation, AddFact):
            settled[index] = facts.settle_change(operation)
    for index, operation in enumerate(operations):
        if isinstance(operation, AddFact):
            settled[index] = facts.settle_addition(operation)
    return settled


class _Facts:
    """Which facts are held, stated and taken, by their digests."""

    def __init__(
        self, operations: Sequence[PlannedOperation], candidates: Sequence[Candidate]
    ) -> None:
        self._holders: dict[bytes, set[UUID]] = {}
        for candidate in candidates:
            self._holders.setdefault(fact_digest(candidate.text), set()).add(candidate.id)
        self._stated = {fact_digest(o.text) for o in operations if not isinstance(o, DeleteFact)}
        self._updated = {
            o.candidate.id for o in operations if isinstance(o, UpdateFact) and not _idle(o)
        }
        self._taken: set[bytes] = set()

    def settle_change(self, operation: UpdateFact | DeleteFact) -> PlannedOperation | None:
        if isinstance(operation, DeleteFact):
            return self._settle_deletion(operation)
        if _idle(operation):
            return None
        digest = fact_digest(operation.text)
        holders = self._holders.get(digest, set())
        if digest in self._taken or holders - self._updated:
            return self._settle_deletion(
                DeleteFact(operation.candidate, operation.message_index, operation.quote)
            )
        if holders:
            return None
        self._taken.add(digest)
        return operation

    def _settle_deletion(self, operation: DeleteFact) -> DeleteFact | None:
        restated = fact_digest(operation.candidate.text) in self._stated
        return None if restated else operation

    def settle_addition(self, operation: AddFact) -> AddFact | None:
        digest = fact_digest(operation.text)
        if digest in self._taken or digest in self._holders:
            return None
        self._taken.add(digest)
        return operation


def _idle(operation: UpdateFact) -> bool:
    return fact_digest(operation.text) == fact_digest(operation.candidate.text)


def _merged(first: Screened, second: Screened) -> Screened:
    one, other = first.proposal.operation, second.proposal.operation
    both = replace(
        one,
        entities=[*one.entities, *other.entities],
        relations=[*one.relations, *other.relations],
    )
    return replace(
        first,
        proposal=replace(first.proposal, operation=both),
        categories=tuple(dict.fromkeys((*first.categories, *second.categories))),
    )
