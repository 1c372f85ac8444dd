"""Only small commits share a statement, because the others would wait for a large one."""

from __future__ import annotations

from server.storage.postgres.commit import is_small
from tests.support.builders import call, change_set, message


def test_a_few_short_messages_are_small() -> None:
    assert is_small(change_set(call(), [message("I moved to Lisbon.")] * 10))


def test_many_messages_are_not_small() -> None:
    assert not is_small(change_set(call(), [message("I moved to Lisbon.")] * 11))


def test_long_messages_are_not_small() -> None:
    assert not is_small(change_set(call(), [message("b" * 10_001)]))
