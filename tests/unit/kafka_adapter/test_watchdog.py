from __future__ import annotations

from shared.transport.kafka.group.client import Watchdog, WatchdogAction


def _watchdog() -> Watchdog:
    return Watchdog(rejoin_after=10, rebuild_after=70, now=0)


def _actions(watchdog: Watchdog, *times: float) -> list[WatchdogAction]:
    return [watchdog.action(now, reachable=True) for now in times]


def test_it_asks_to_join_again_each_time_the_bound_has_passed() -> None:
    assert _actions(_watchdog(), 9, 10, 11, 20) == [
        WatchdogAction.WAIT,
        WatchdogAction.REJOIN,
        WatchdogAction.WAIT,
        WatchdogAction.REJOIN,
    ]


def test_it_gives_the_client_up_in_the_end_and_begins_anew() -> None:
    assert _actions(_watchdog(), 70, 71, 80) == [WatchdogAction.REBUILD, WatchdogAction.WAIT, WatchdogAction.REJOIN]


def test_with_an_assignment_there_is_nothing_to_do() -> None:
    watchdog = _watchdog()
    watchdog.arrived()
    assert watchdog.assigned
    assert _actions(watchdog, 1000) == [WatchdogAction.WAIT]


def test_a_revocation_starts_the_wait_anew() -> None:
    watchdog = _watchdog()
    watchdog.arrived()
    watchdog.waiting(100)
    assert not watchdog.assigned
    assert _actions(watchdog, 109, 110) == [WatchdogAction.WAIT, WatchdogAction.REJOIN]


def test_an_outage_does_not_count() -> None:
    watchdog = _watchdog()
    assert watchdog.action(1000, reachable=False) is WatchdogAction.WAIT
    assert _actions(watchdog, 1009, 1010) == [WatchdogAction.WAIT, WatchdogAction.REJOIN]
