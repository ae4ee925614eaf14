from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rules.processes.strikes import EVENTS, WITHIN, Strikes

_STRIKES = st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from("1234"), st.floats(0, 300)), max_size=30)


@given(strikes=_STRIKES)
def test_a_rule_is_off_if_and_only_if_it_struck_on_several_events_within_the_time(strikes: list[tuple[str, str, float]]) -> None:
    board, now, seen = Strikes(), 0.0, list[tuple[str, str, float]]()
    for rule, event, later in strikes:
        now += later
        seen.append((rule, event, now))
        already = rule in board.switched_off
        switched = board.add(rule, event, now)
        recent = {one for name, one, at in seen if name == rule and now - at < WITHIN}
        assert switched == (len(recent) >= EVENTS and not already)
        assert (rule in board.switched_off) == (already or switched)


def test_one_event_that_is_tried_again_and_again_may_be_the_event() -> None:
    board = Strikes()
    assert not any(board.add("a", "1", float(now)) for now in range(10))


def test_what_is_switched_off_stays_so() -> None:
    board = Strikes()
    for event in "123":
        board.add("a", event, 0.0)
    board.add("a", "4", WITHIN * 9)
    assert board.switched_off == {"a"}
