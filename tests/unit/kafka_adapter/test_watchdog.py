from __future__ import annotations

from shared.transport.kafka.group.watchdog import Advice, Watchdog


def _watchdog() -> Watchdog:
    return Watchdog(rejoin_after=10, rebuild_after=70, now=0)


def _advice(watchdog: Watchdog, *times: float) -> list[Advice]:
    return [watchdog.advice(now, reachable=True) for now in times]


def test_it_asks_to_join_again_each_time_the_bound_has_passed() -> None:
    assert _advice(_watchdog(), 9, 10, 11, 20) == [Advice.WAIT, Advice.REJOIN, Advice.WAIT, Advice.REJOIN]


def test_it_gives_the_client_up_in_the_end_and_begins_anew() -> None:
    assert _advice(_watchdog(), 70, 71, 80) == [Advice.REBUILD, Advice.WAIT, Advice.REJOIN]


def test_with_an_assignment_there_is_nothing_to_do() -> None:
    watchdog = _watchdog()
    watchdog.arrived()
    assert watchdog.assigned
    assert _advice(watchdog, 1000) == [Advice.WAIT]


def test_a_revocation_starts_the_wait_anew() -> None:
    watchdog = _watchdog()
    watchdog.arrived()
    watchdog.waiting(100)
    assert not watchdog.assigned
    assert _advice(watchdog, 109, 110) == [Advice.WAIT, Advice.REJOIN]


def test_an_outage_does_not_count() -> None:
    watchdog = _watchdog()
    assert watchdog.advice(1000, reachable=False) is Advice.WAIT
    assert _advice(watchdog, 1009, 1010) == [Advice.WAIT, Advice.REJOIN]
