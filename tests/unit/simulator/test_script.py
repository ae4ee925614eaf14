"""Which fault happens when."""

from __future__ import annotations

from simulator.script import Script
from tests.support import faults

BAD, SLOW = faults.status(503), faults.slow(1)


def test_in_order_then_as_usual() -> None:
    script: Script[str] = Script()
    script.in_order(BAD, None, SLOW)
    assert [script.choose("") for _ in range(4)] == [BAD, None, SLOW, None]
    assert script.fired == {"503": 1, "slow": 1}


def test_a_rule_is_used_up_only_by_what_it_is_for() -> None:
    script: Script[str] = Script()
    script.add(BAD, times=1, when=lambda subject: subject == "b")
    assert [script.choose(subject) for subject in "aabb"] == [None, None, BAD, None]


def test_for_some_seconds() -> None:
    times = iter((0.0, 2.9, 3.0))
    script: Script[str] = Script(clock=lambda: next(times))
    script.add(BAD, seconds=3)
    assert script.choose("") is BAD
    assert script.choose("") is None


def test_chance_is_decided_by_the_seed() -> None:
    def drawn(seed: int) -> list[faults.HttpFault | None]:
        script: Script[str] = Script(seed=seed)
        script.sometimes(0.5, BAD, SLOW)
        return [script.choose("") for _ in range(100)]

    assert drawn(1) == drawn(1) != drawn(2)
    assert {None, BAD, SLOW} == set(drawn(1))


def test_clear_ends_everything() -> None:
    script: Script[str] = Script()
    script.add(BAD)
    script.clear()
    assert script.choose("") is None
