"""What the answer of an add says about the proposals that were left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from server.domain.notices import Notice, NoticeReason, counted
from server.domain.planning_checks import MAX_OPERATIONS
from server.domain.planning_screening import Refusal
from server.domain.planning_text import Passage

_WHY = {
    NoticeReason.NOT_OWN_TEXT: "it rests on text that is not the speaker's own",
    NoticeReason.FILTERED: "`includes` or `excludes` rules it out",
    NoticeReason.NO_EVIDENCE: "no clause of the conversation states it",
    NoticeReason.NOT_PERMITTED: "only the user, or the speaker whose fact it is, may change a fact",
    NoticeReason.IMMUTABLE: "the memory is immutable",
}


def refusal_notices(refusals: Iterable[Refusal]) -> list[Notice]:
    """One notice for each reason that there is, with the number of proposals that it concerns."""
    counts = Counter(refusal.reason or NoticeReason.NO_EVIDENCE for refusal in refusals)
    return [
        Notice(reason, f"{counted(counts[reason], 'change was', 'changes were')} left out: {why}.")
        for reason, why in _WHY.items()
        if counts[reason]
    ]


def too_many_operations(count: int) -> Notice:
    """There were more operations than one call may have."""
    text = f"{count} changes were proposed; only the first {MAX_OPERATIONS} were considered."
    return Notice(NoticeReason.OPERATIONS_LIMIT, text)


def too_many_deletions(count: int, limit: int) -> Notice:
    """There were more updates and deletions than one call may have."""
    text = (
        f"{counted(count, 'update or deletion was', 'updates and deletions were')} proposed, and "
        f"at most {limit} are allowed in one call; none was made."
    )
    return Notice(NoticeReason.DELETIONS_LIMIT, text)


def unmatched_request(request: Passage) -> Notice:
    """Nothing is held of what was to be forgotten.

    The request is not quoted: notices are kept, and it may hold what was to be forgotten.
    """
    number = request.message_index + 1
    text = f"No memory matched a request to forget (message {number} of those with content)."
    return Notice(NoticeReason.FORGET_UNMATCHED, text)
