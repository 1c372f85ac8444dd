"""Turns a language model's proposals into a checked plan.

The answer comes from an untrusted source. Numbers, lengths and names are checked, and quotes are
looked up in the messages. The resulting changes can be stored without further checks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from server.core.clock import new_id
from server.core.errors import ExtractionFailed
from server.graph.model import entity_key
from server.memories.add.duplicates import conflicts, merge_repeats, settle
from server.memories.add.entity_resolution import (
    EntityResolver,
    KnownEntities,
    checked_graph,
    is_generic,
    is_mentioned,
)
from server.memories.add.evidence import user_keys
from server.memories.add.inference import InferenceAnswer, InferenceRequest, ProposedRelation
from server.memories.add.proposals import (
    MAX_OPERATIONS,
    Action,
    Notice,
    NoticeReason,
    Proposal,
    read_proposals,
)
from server.memories.add.quotes import Quote, clean_text
from server.memories.add.screening import (
    Refusal,
    Screened,
    Screening,
    refusal_notices,
    too_many_deletions,
    too_many_operations,
    unmatched_request,
)
from server.memories.changes import Addition, Change, ChangeSet, Deletion, Update
from server.memories.conversation import Role
from server.memories.memory import Evidence, fact_digest


@dataclass(frozen=True, slots=True)
class Plan:
    """The changes to make, in the answer's order; their texts are still to be embedded.

    No two change the same memory, and no two result in the same fact. `dropped` lists, for the log,
    the proposals that were left out and why; it may contain text from the model. `notices` report
    them to the client. `forget_requests` are the quotes that ask to forget something, whether or
    not it is stored: they become neither memories nor passages. `evidence` are the quotes that
    support the changes, including changes without effect.
    """

    changes: tuple[Change, ...]
    dropped: tuple[str, ...] = ()
    notices: tuple[Notice, ...] = ()
    forget_requests: tuple[Quote, ...] = ()
    evidence: tuple[Quote, ...] = ()


def plan(
    request: InferenceRequest, answer: InferenceAnswer, max_deletions: int, draft: ChangeSet
) -> Plan:
    """Returns the changes that the answer proposes and that may be made, in its order.

    `draft` has the call and the request's messages as they will be stored.

    Operations are left out and reported in the notices if they have no evidence, if their speaker
    may not make them (see `server.memories.add.evidence`), if they change an immutable candidate,
    if the request's includes and excludes rule them out, or if they exceed a limit, such as
    `max_deletions` for updates and deletions together. Operations that change nothing are left out
    too.

    Raises:
        ExtractionFailed: `invalid` if the answer has an unknown action or number, a text that is
            empty or too long, or two operations for one candidate; `unsupported` if it has
            operations but none of them quotes a clause of its message.
    """
    proposals, problems = read_proposals(request, answer.operations[:MAX_OPERATIONS])
    if problems:
        raise ExtractionFailed(answer.model, "invalid", problems)
    screening = Screening(request)
    screened, refusals = _screened(screening, proposals)
    if refusals and all(r.reason is None for r in refusals) and not screened:
        raise ExtractionFailed(answer.model, "unsupported", map(str, refusals))
    forget_requests = _forget_requests(screened)
    usable, refused_facts = _without_facts_from(forget_requests, screened)
    refusals += refused_facts
    usable = merge_repeats(usable)
    if problems := conflicts([s.proposal for s in usable]):
        raise ExtractionFailed(answer.model, "invalid", problems)
    changes, without_effect, over_limit = _settled(request, usable, max_deletions, draft)
    notices = [
        *([too_many_operations(n)] if (n := len(answer.operations)) > MAX_OPERATIONS else []),
        *over_limit,
        *map(unmatched_request, _unmatched(screened)),
        *screening.notices(),
        *refusal_notices(refusals),
    ]
    dropped = [*map(str, refusals), *without_effect, *(notice.text for notice in over_limit)]
    evidence = tuple(dict.fromkeys(item.evidence for item in screened))
    return Plan(tuple(changes), tuple(dropped), tuple(notices), forget_requests, evidence)


def _screened(
    screening: Screening, proposals: Sequence[Proposal]
) -> tuple[list[Screened], list[Refusal]]:
    outcomes = [screening(proposal) for proposal in proposals]
    return (
        [outcome for outcome in outcomes if isinstance(outcome, Screened)],
        [outcome for outcome in outcomes if isinstance(outcome, Refusal)],
    )


def _forget_requests(screened: Sequence[Screened]) -> tuple[Quote, ...]:
    requests = (s.evidence for s in screened if s.proposal.action is Action.FORGET)
    return tuple(dict.fromkeys(requests))


def _unmatched(screened: Sequence[Screened]) -> list[Quote]:
    """Returns the requests to forget that match no stored memory."""
    forgets = [s for s in screened if s.proposal.action is Action.FORGET]
    matched = {s.evidence for s in forgets if s.proposal.candidate is not None}
    return list(dict.fromkeys(s.evidence for s in forgets if s.evidence not in matched))


def _without_facts_from(
    requests: Sequence[Quote], screened: Sequence[Screened]
) -> tuple[list[Screened], list[Refusal]]:
    """Returns the operations to carry out; a request to forget is evidence for no fact."""
    usable: list[Screened] = []
    refusals: list[Refusal] = []
    for item in screened:
        proposal = item.proposal
        if proposal.text and any(item.evidence.overlaps(request) for request in requests):
            problem = "its evidence is a request to forget"
            refusals.append(Refusal(proposal.number, problem, NoticeReason.NO_EVIDENCE))
        elif proposal.text or proposal.candidate is not None:
            usable.append(item)
    return usable, refusals


def _settled(
    request: InferenceRequest, usable: Sequence[Screened], max_deletions: int, draft: ChangeSet
) -> tuple[list[Change], list[str], list[Notice]]:
    """Returns the changes that have an effect, within the limit on updates and deletions.

    Also returns a line for each operation without effect, and a notice if the limit was exceeded.
    """
    known = KnownEntities(request.known_entities)
    changes = [_change(request, item, known, draft) for item in usable]
    settled = settle(changes, request.candidates)
    replacing = sum(c is not None and not isinstance(c, Addition) for c in settled)
    if replacing > max_deletions:
        # So many changes at once are more likely a mistake or an attack than the user's intent.
        additions = [item for item in usable if item.proposal.candidate is None]
        kept, without_effect, _ = _settled(request, additions, max_deletions, draft)
        return kept, without_effect, [too_many_deletions(replacing, max_deletions)]
    without_effect = [
        f"operation {item.proposal.number}: changes nothing"
        for item, change in zip(usable, settled, strict=True)
        if change is None
    ]
    return [change for change in settled if change is not None], without_effect, []


def _change(
    request: InferenceRequest, item: Screened, known: KnownEntities, draft: ChangeSet
) -> Change:
    proposal, candidate, text = item.proposal, item.proposal.candidate, item.proposal.text
    if candidate is not None and not text:
        return Deletion(candidate.id, candidate.version)
    message = draft.messages[proposal.message_index]
    entities, relations = checked_graph(
        proposal.operation.entities,
        _own_relations(request, proposal),
        EntityResolver(known, f"{text}\n{message.content}"),
    )
    make_change: Callable[..., Change] = (
        partial(Addition, memory_id=new_id(draft.call.time, proposal.number - 1))
        if candidate is None
        else partial(Update, memory_id=candidate.id, version=candidate.version)
    )
    return make_change(
        text=text,
        digest=fact_digest(text),
        role=message.role,
        name=message.name,
        evidence=(Evidence(message.id, item.evidence.text, len(message.content)),),
        categories=item.categories,
        entities=entities,
        relations=relations,
    )


def _own_relations(request: InferenceRequest, proposal: Proposal) -> list[ProposedRelation]:
    """Returns the proposal's relations whose ends its text or its evidence names.

    Other relations come from another sentence, such as a question, or are invented. Claims of an
    assistant or a tool about a user are left out too.
    """
    users = user_keys(request.messages)
    stated = entity_key(f"{proposal.text}\n{proposal.operation.quote}")
    is_user = request.messages[proposal.message_index].role is Role.USER
    return [
        relation
        for relation in proposal.operation.relations
        if (is_user or entity_key(clean_text(relation.source)) not in users)
        and all(
            entity_key(clean_text(end)) in users or is_generic(end) or is_mentioned(end, stated)
            for end in (relation.source, relation.target)
        )
    ]
