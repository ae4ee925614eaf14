"""Alarms before a loss: from half of a retention on, louder from 80 %, and not at every look."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from admin.actions.alarms import Alarm, near

lengths = st.floats(1, 1e7)


@given(behind=st.none() | lengths, auth0=lengths, undelivered=st.none() | lengths, topic=st.none() | lengths)
def test_an_alarm_comes_from_half_of_the_retention_on_and_says_how_much_is_left(
    behind: float | None, auth0: float, undelivered: float | None, topic: float | None
) -> None:
    expected = []
    if behind is not None and behind >= auth0 / 2:
        expected.append(Alarm(at_auth0=True, age=behind, retention=auth0))
    if undelivered is not None and topic is not None and undelivered >= topic / 2:
        expected.append(Alarm(at_auth0=False, age=undelivered, retention=topic))
    found = list(near(behind=behind, auth0=auth0, undelivered=undelivered, topic=topic))
    assert found == expected
    assert all(alarm.is_late is (alarm.age >= 0.8 * alarm.retention) for alarm in found)
