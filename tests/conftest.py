"""`HYPOTHESIS_PROFILE`: `small` unless told; `thorough` looks long at what is pure (`make faults`); `mutants` only judges."""

import gc
import os
import signal

import pytest
from hypothesis import HealthCheck, Phase, settings

pytest_plugins = ["tests.support.kafka.fixtures", "tests.support.transports"]

# The same examples every time: what lets a change land must not depend on luck. `make faults` and `make search` look at new ones.
settings.register_profile("small", max_examples=100, stateful_step_count=50, deadline=None, derandomize=True)
settings.register_profile("search", max_examples=500, stateful_step_count=50, deadline=None)
settings.register_profile(
    "thorough",
    max_examples=600,
    stateful_step_count=50,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.register_profile(
    "mutants",
    max_examples=200,
    stateful_step_count=50,
    deadline=None,
    database=None,
    derandomize=True,
    report_multiple_bugs=False,
    phases=[Phase.explicit, Phase.generate],
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "small"))


def pytest_collection() -> None:
    """Nothing of thousands of tests is garbage while they are collected: looking for it is a quarter of the work."""
    gc.disable()


def pytest_collection_finish() -> None:
    """Takes what exists before the first test out of every later collection: of thousands of tests that is half a second each."""
    gc.enable()
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def _ignored_signals_are_not_inherited() -> None:
    """A run under `nohup`, or in the background of a script, is born with them ignored; processes that tests stop must not be."""
    for number in (signal.SIGINT, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, lambda *_: None)
