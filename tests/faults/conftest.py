"""One fork server for all tests, and the seed: `FAULTS_SEED=n` draws the same faults again, as far as the machine allows it."""

from __future__ import annotations

import gc
import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.rules import FaultRules, fault_rules
from tests.support.fork_server import ForkServer


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks them all for `make faults`. The oracle's Kafka client leaves sockets behind when a broker dies."""
    for item in items:
        if "tests/faults" in item.nodeid:
            item.add_marker(pytest.mark.faults)
            item.add_marker(pytest.mark.filterwarnings("ignore::ResourceWarning"))
            item.add_marker(pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"))


@pytest.fixture(autouse=True)
def _collected() -> Iterator[None]:
    """Collects garbage while these warnings are still ignored."""
    yield
    gc.collect()


@pytest.fixture(scope="session")
def fork_server() -> Iterator[ForkServer]:
    fork_server = ForkServer()
    yield fork_server
    fork_server.close()


@pytest.fixture
def rules(tmp_path: Path) -> Iterator[FaultRules]:
    yield from fault_rules(tmp_path)


@pytest.fixture(scope="session")
def seed() -> int:
    return int(os.environ.get("FAULTS_SEED") or random.SystemRandom().randrange(1_000_000))


def pytest_report_header() -> str:
    return f"faults: FAULTS_SEED={os.environ.get('FAULTS_SEED') or 'drawn each time, see each test'}"
