"""How long functional relations hold."""

from __future__ import annotations

from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from server.graph.project.supersession import Holding, superseded_at
from tests.support.subgraphs import NOON


def at(minute: int) -> datetime:
    return NOON + timedelta(minutes=minute)


def stating(memory: str, target: str, minute: int) -> Holding:
    return Holding(memory, target, at(minute))


def test_a_later_value_ends_an_earlier_one() -> None:
    oslo, paris = stating("1", "oslo", 1), stating("2", "paris", 5)
    assert superseded_at([oslo, paris]) == {oslo: at(5), paris: None}


def test_a_repeated_value_continues() -> None:
    first, again = stating("1", "oslo", 1), stating("2", "oslo", 5)
    paris = stating("3", "paris", 9)
    assert superseded_at([first, again]) == {first: None, again: None}
    assert superseded_at([first, again, paris]) == {first: at(9), again: at(9), paris: None}


def test_a_value_can_come_back() -> None:
    oslo, paris, back = stating("1", "oslo", 1), stating("2", "paris", 2), stating("3", "oslo", 3)
    assert superseded_at([oslo, paris, back]) == {oslo: at(2), paris: at(3), back: None}


def test_values_of_one_memory_hold_together() -> None:
    oslo, both = stating("1", "oslo", 1), [stating("2", "oslo", 2), stating("2", "bergen", 2)]
    assert superseded_at([oslo, *both]) == dict.fromkeys([oslo, *both])


def test_ids_decide_between_equal_times() -> None:
    one, two = stating("1", "oslo", 1), stating("2", "paris", 1)
    assert superseded_at([one, two]) == {one: at(1), two: None}


holdings = st.lists(
    st.builds(stating, st.sampled_from("123456"), st.sampled_from("abc"), st.integers(0, 3))
)


@given(holdings, st.randoms(use_true_random=False))
def test_order_does_not_matter_and_the_latest_is_always_current(
    stated: list[Holding], order: object
) -> None:
    shuffled = list(stated)
    order.shuffle(shuffled)  # type: ignore[attr-defined]
    ends = superseded_at(shuffled)
    assert ends == superseded_at(stated)
    if stated:
        last = max(stated, key=lambda h: (h.valid_from, h.memory_id))
        assert ends[last] is None
    assert all(end is None or end >= holding.valid_from for holding, end in ends.items())
