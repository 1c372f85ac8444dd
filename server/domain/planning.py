"""From what a language model proposes to what will be done.

The answer comes from an untrusted source. Numbers, lengths and names are checked, quotes are looked
up in the messages, and what remains is a plan that can be carried out as it is.
"""

from __future__ import annotations

from collections.abc import Sequence

from server.domain.entity_resolution import EntityResolver
from server.domain.errors import ExtractionFailed
from server.domain.inference import Category, InferenceAnswer, InferenceRequest
from server.domain.planning_checks import (
    MAX_OPERATIONS,
    MAX_TEXT_LENGTH,
    Proposal,
    from_system_message,
    read_proposals,
)
from server.domain.planning_duplicates import conflicts, merge_repeats, settle
from server.domain.planning_graph import MAX_ENTITIES, MAX_RELATIONS, checked_graph
from server.domain.planning_operations import (
    AddFact,
    DeleteFact,
    Plan,
    PlannedOperation,
    UpdateFact,
)
from server.domain.planning_text import QuoteFinder, clean_text
from server.domain.wishes import Wanted

__all__ = [
    "MAX_ENTITIES",
    "MAX_OPERATIONS",
    "MAX_RELATIONS",
    "MAX_TEXT_LENGTH",
    "AddFact",
    "DeleteFact",
    "Plan",
    "PlannedOperation",
    "UpdateFact",
    "plan",
]


def plan(request: InferenceRequest, answer: InferenceAnswer) -> Plan:
    """The operations of the answer that can be carried out, in its order.

    Left out are operations whose quote is not in the message that they name, that touch an
    immutable candidate, that the request's includes and excludes rule out, or that change nothing.

    Raises:
        ExtractionFailed: `invalid`, the answer has an unknown action or number, a text that is
            empty or too long, too many operations, or two for one candidate; or `unsupported`, it
            has operations, and none of them quotes its message.
    """
    proposals, problems = read_proposals(request, answer.operations)
    if problems:
        raise ExtractionFailed(answer.model, "invalid", problems)
    quotes, dropped = _quotes(request, proposals)
    if dropped and not quotes:
        raise ExtractionFailed(answer.model, "unsupported", dropped)
    usable, refused = _permitted(request, [p for p in proposals if p.number in quotes])
    dropped += refused
    evidence = tuple((p.message_index, quotes[p.number]) for p in usable)
    usable = merge_repeats(usable)
    if problems := conflicts(usable):
        raise ExtractionFailed(answer.model, "invalid", problems)
    operations = [_operation(request, p, quotes[p.number]) for p in usable]
    settled = settle(operations, request.candidates)
    dropped += [
        f"operation {proposal.number}: changes nothing"
        for proposal, outcome in zip(usable, settled, strict=True)
        if outcome is None
    ]
    return Plan(tuple(o for o in settled if o is not None), tuple(dropped), evidence)


def _permitted(
    request: InferenceRequest, proposals: Sequence[Proposal]
) -> tuple[list[Proposal], list[str]]:
    """The proposals that may be carried out, and the problems of the others."""
    wanted = Wanted(request)
    permitted: list[Proposal] = []
    problems: list[str] = []
    for proposal in proposals:
        if proposal.candidate is not None and proposal.candidate.immutable:
            problems.append(f"operation {proposal.number}: its candidate is immutable")
        elif not wanted(proposal.text, _allowed(proposal.operation.categories, request.categories)):
            problems.append(f"operation {proposal.number}: is not to be remembered")
        else:
            permitted.append(proposal)
    return permitted, problems


def _quotes(
    request: InferenceRequest, proposals: Sequence[Proposal]
) -> tuple[dict[int, str], list[str]]:
    """The passage that shows each proposal, by number, and the problems of those without one."""
    finder = QuoteFinder(request.messages)
    quotes: dict[int, str] = {}
    problems: list[str] = []
    for proposal in proposals:
        if from_system_message(request, proposal):
            problems.append(f"operation {proposal.number}: rests on a system message")
            continue
        quote = finder.find(proposal.message_index, proposal.operation.quote)
        if quote is None:
            problems.append(f"operation {proposal.number}: its quote is not in the message")
        else:
            quotes[proposal.number] = quote
    return quotes, problems


def _operation(request: InferenceRequest, proposal: Proposal, quote: str) -> PlannedOperation:
    if proposal.candidate is not None and not proposal.text:
        return DeleteFact(proposal.candidate, proposal.message_index, quote)
    categories = _allowed(proposal.operation.categories, request.categories)
    said = f"{proposal.text}\n{request.messages[proposal.message_index].content or ''}"
    entities, relations = checked_graph(
        proposal.operation.entities,
        proposal.operation.relations,
        EntityResolver(request.known_entities, said),
    )
    if proposal.candidate is None:
        return AddFact(
            proposal.text, proposal.message_index, quote, categories, entities, relations
        )
    return UpdateFact(
        candidate=proposal.candidate,
        text=proposal.text,
        message_index=proposal.message_index,
        quote=quote,
        categories=categories,
        entities=entities,
        relations=relations,
    )


def _allowed(names: Sequence[str], categories: Sequence[Category]) -> tuple[str, ...]:
    """The categories among the names, each once and spelled as in the request."""
    spelling = {clean_text(category.name).casefold(): category.name for category in categories}
    folded = (clean_text(name).casefold() for name in names)
    return tuple(dict.fromkeys(spelling[name] for name in folded if name in spelling))
