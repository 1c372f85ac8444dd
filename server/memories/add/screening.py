"""Decides which proposals may be executed, by evidence, speaker and the request's wishes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from server.graph.model import entity_key
from server.memories.add.evidence import (
    MIN_WORDS,
    OwnWords,
    asserted_end,
    begins_with,
    count_words,
    is_cut_from_condition,
    is_cut_from_negation,
    is_imagined,
    is_own_statement,
    is_reported,
    may_change,
    words_before,
)
from server.memories.add.forgetting import asks_to_forget, asks_to_remember
from server.memories.add.inference import InferenceRequest, MemoryPolicy
from server.memories.add.proposals import (
    MAX_OPERATIONS,
    Action,
    Notice,
    NoticeReason,
    Proposal,
    counted,
)
from server.memories.add.quotes import Quote, QuoteFinder, clean_text
from server.memories.conversation import Message, Role, is_small_talk


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a proposal is left out.

    `reason` is reported to the client. It is None if the model quotes something that was not said,
    because the model can correct that.
    """

    number: int
    problem: str
    reason: NoticeReason | None = None

    def __str__(self) -> str:
        return f"operation {self.number}: {self.problem}"


@dataclass(frozen=True, slots=True)
class Screened:
    """A proposal that may be executed, the quote that supports it, and its categories."""

    proposal: Proposal
    evidence: Quote
    categories: tuple[str, ...] = ()


class Screening:
    """Checks proposals against their request, one by one."""

    def __init__(self, request: InferenceRequest) -> None:
        self._request = request
        self._quotes = QuoteFinder(request.messages)
        self._own_words = OwnWords(request.messages)
        self._is_wanted = MemoryPolicy(request)
        self._clauses: dict[int, bool] = {}
        self._spelling = {_folded(category.name): category.name for category in request.categories}
        self._names = {m.name for m in request.messages if m.role is Role.USER and m.name}

    def __call__(self, proposal: Proposal) -> Screened | Refusal:
        """Returns the proposal with its evidence, or the first reason against it."""
        message = self._request.messages[proposal.message_index]
        if message.role is Role.SYSTEM:
            return Refusal(proposal.number, "rests on a system message")
        evidence = self._evidence(proposal, message.content or "")
        if isinstance(evidence, Refusal):
            return evidence
        categories = self._categories(proposal)
        refusal = (
            _against_change(proposal, message)
            or self._against_other_subject(proposal)
            or self._against_statement(proposal, message)
            or self._against_wishes(proposal, categories)
        )
        return refusal or Screened(proposal, evidence, categories)

    def notices(self) -> list[Notice]:
        """Returns notices of text that cannot be evidence."""
        return self._own_words.notices()

    def _evidence(self, proposal: Proposal, content: str) -> Quote | Refusal:
        if not self._has_clause(proposal.message_index, content):
            # The model cannot provide a better quote.
            problem = "its message has no clause"
            return Refusal(proposal.number, problem, NoticeReason.NO_EVIDENCE)
        problem, reason = "its quote is not in the message", None
        for quote in self._quotes.find(proposal.message_index, proposal.operation.quote):
            if count_words(content, quote.start, quote.end) < MIN_WORDS:
                problem = "its quote is not a clause of the message"
            elif is_small_talk(quote.text):
                problem = "its quote is a courtesy"
                reason = NoticeReason.NO_EVIDENCE
            elif refusal := self._against_clause(proposal, quote, content):
                problem, reason = refusal
            else:
                return quote
        return Refusal(proposal.number, problem, reason)

    def _against_clause(
        self, proposal: Proposal, quote: Quote, content: str
    ) -> tuple[str, NoticeReason] | None:
        """Returns why the quote does not state what the proposal rests on, if it does not.

        A proposal to forget something needs a request. If the quote is not known to be one, perhaps
        because of its language, it must state something, as for a deletion.
        """
        forgets = proposal.action is Action.FORGET
        said = (self._own_words.part_of(quote), words_before(quote, content)) if forgets else None
        asks = said is not None and asks_to_forget(*said)
        replaces = proposal.action is not Action.ADD and not asks
        if said is not None and not asks and asks_to_remember(*said):
            return "its quote says not to forget", NoticeReason.NO_EVIDENCE
        if problem := _not_asserted(quote, content, asks=asks, replaces=replaces):
            return problem, NoticeReason.NO_EVIDENCE
        if replaces and is_reported(quote, content):
            return "its quote is what somebody else says or thinks", NoticeReason.NOT_OWN_TEXT
        if not self._own_words.state(quote, may_quote=not replaces):
            return "its quote is somebody else's text", NoticeReason.NOT_OWN_TEXT
        return None

    def _has_clause(self, index: int, content: str) -> bool:
        """Whether the message has enough words for evidence; computed once for each message."""
        if index not in self._clauses:
            self._clauses[index] = count_words(content, 0, len(content)) >= MIN_WORDS
        return self._clauses[index]

    def _against_statement(self, proposal: Proposal, message: Message) -> Refusal | None:
        if not proposal.text:
            return None
        if not is_own_statement(message, proposal.text):
            problem = f"tells a statement of the {message.role.value} as a fact"
            return Refusal(proposal.number, problem, NoticeReason.NOT_OWN_TEXT)
        if self._is_of_another_speaker(proposal, message):
            problem = "is about a speaker whom its message does not name"
            return Refusal(proposal.number, problem, NoticeReason.NO_EVIDENCE)
        return None

    def _against_other_subject(self, proposal: Proposal) -> Refusal | None:
        """Refuses to replace a fact about one person by a fact about a speaker.

        The subjects of a text are the names that it begins with. Both texts may name the same
        person.
        """
        candidate, text = proposal.candidate, proposal.text
        if candidate is None or not text:
            return None
        speakers = {"user", *self._names}
        known_names = {*speakers, *(entity.name for entity in candidate.entities)}
        new_subjects = [name for name in speakers if begins_with(text, name)]
        old_subjects = [name for name in known_names if begins_with(candidate.text, name)]
        if (
            not (new_subjects and old_subjects)
            or any(entity_key(name) in entity_key(text) for name in old_subjects)
            or any(entity_key(name) in entity_key(candidate.text) for name in new_subjects)
        ):
            return None
        problem = "replaces a fact about somebody by a fact about a speaker"
        return Refusal(proposal.number, problem, NoticeReason.NOT_PERMITTED)

    def _is_of_another_speaker(self, proposal: Proposal, message: Message) -> bool:
        """Whether the text begins with a speaker who neither wrote nor appears in the message."""
        content = (message.content or "").casefold()
        return any(
            name != message.name
            and begins_with(proposal.text, name)
            and not (message.name and begins_with(proposal.text, message.name))
            and name.casefold() not in content
            for name in self._names
        )

    def _against_wishes(self, proposal: Proposal, categories: Sequence[str]) -> Refusal | None:
        if self._is_wanted(proposal.text, categories):
            return None
        return Refusal(proposal.number, "is not to be remembered", NoticeReason.FILTERED)

    def _categories(self, proposal: Proposal) -> tuple[str, ...]:
        """Returns the proposal's categories that the request has, each once, in its spelling."""
        names = map(_folded, proposal.operation.categories)
        return tuple(dict.fromkeys(self._spelling[n] for n in names if n in self._spelling))


def _not_asserted(quote: Quote, content: str, *, asks: bool, replaces: bool) -> str | None:
    """Returns why the quote asserts nothing, if it does not; a question may ask to forget."""
    if _is_asked(quote, content) and not asks:
        return "its quote is a question"
    if is_cut_from_negation(quote, content):
        return "its quote leaves out that its clause is denied"
    if is_cut_from_condition(quote, content) or (replaces and is_imagined(quote, content)):
        return "its clause is only imagined"
    return None


def _is_asked(quote: Quote, content: str) -> bool:
    end = asserted_end(quote, content)
    return end < quote.end and count_words(content, quote.start, end) < MIN_WORDS


def _against_change(proposal: Proposal, message: Message) -> Refusal | None:
    number, candidate = proposal.number, proposal.candidate
    if proposal.action is not Action.ADD and message.role is not Role.USER:
        problem = f"rests on a message of the {message.role.value}, which changes no memory"
        return Refusal(number, problem, NoticeReason.NOT_PERMITTED)
    if candidate is not None and candidate.immutable:
        return Refusal(number, "its candidate is immutable", NoticeReason.IMMUTABLE)
    if candidate is not None and not may_change(message, candidate):
        problem = "its candidate is another speaker's"
        return Refusal(number, problem, NoticeReason.NOT_PERMITTED)
    return None


def _folded(name: str) -> str:
    return clean_text(name).casefold()


_WHY = {
    NoticeReason.NOT_OWN_TEXT: "it rests on text that is not the speaker's own",
    NoticeReason.FILTERED: "`includes` or `excludes` rules it out",
    NoticeReason.NO_EVIDENCE: "no clause of the conversation states it",
    NoticeReason.NOT_PERMITTED: "only the user, or the speaker whose fact it is, may change a fact",
    NoticeReason.IMMUTABLE: "the memory is immutable",
}


def refusal_notices(refusals: Iterable[Refusal]) -> list[Notice]:
    """Returns one notice for each reason, with the number of proposals that were left out."""
    counts = Counter(refusal.reason or NoticeReason.NO_EVIDENCE for refusal in refusals)
    return [
        Notice(reason, f"{counted(counts[reason], 'change was', 'changes were')} left out: {why}.")
        for reason, why in _WHY.items()
        if counts[reason]
    ]


def too_many_operations(count: int) -> Notice:
    """Returns the notice that a call had too many operations."""
    text = f"{count} changes were proposed; only the first {MAX_OPERATIONS} were considered."
    return Notice(NoticeReason.OPERATIONS_LIMIT, text)


def too_many_deletions(count: int, limit: int) -> Notice:
    """Returns the notice that a call had too many updates and deletions."""
    text = (
        f"{counted(count, 'update or deletion was', 'updates and deletions were')} proposed, and "
        f"at most {limit} are allowed in one call; none was made."
    )
    return Notice(NoticeReason.DELETIONS_LIMIT, text)


def unmatched_request(request: Quote) -> Notice:
    """Returns the notice that no memory matched a request to forget.

    It does not quote the request, because notices are stored and the request may contain what is to
    be forgotten.
    """
    number = request.message_index + 1
    text = f"No memory matched a request to forget (message {number} of those with content)."
    return Notice(NoticeReason.FORGET_UNMATCHED, text)
