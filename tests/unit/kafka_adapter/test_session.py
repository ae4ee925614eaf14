"""How long a member may be sure of its partitions."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from shared.transport.kafka.group.member import heard_at, session_left

#: Whole seconds: they add up exactly.
_TIMES = st.integers(0, 1000)


def test_a_member_is_sure_for_a_session_from_the_last_confirmation() -> None:
    assert session_left(assigned=0, heard=100, session=10, now=100) == 10
    assert session_left(assigned=0, heard=100, session=10, now=104) == 6
    assert session_left(assigned=0, heard=100, session=10, now=120) == 0


def test_an_assignment_counts_before_the_first_heartbeat() -> None:
    assert session_left(assigned=100, heard=float("-inf"), session=10, now=103) == 7


def test_a_session_counts_from_when_the_confirmed_heartbeat_was_sent_however_late_the_response_is_read() -> None:
    assert heard_at(float("-inf"), float("-inf"), float("-inf")) == float("-inf")
    assert heard_at(float("-inf"), 100, 130) == 100
    assert heard_at(100, 140, 130) == 100, "the newest one is under way, or failed"
    assert heard_at(100, 140, 140) == 140


@given(assigned=_TIMES, heard=_TIMES, session=st.integers(1, 60), silence=_TIMES)
def test_it_shrinks_with_every_second_of_silence_and_is_gone_after_a_session(
    assigned: int, heard: int, session: int, silence: int
) -> None:
    now = max(assigned, heard) + silence
    left = session_left(assigned=assigned, heard=heard, session=session, now=now)
    assert left == max(0, session - silence)
