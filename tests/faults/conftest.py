"""One fork server for all tests, and a seed that is shown: `FAULTS_SEED=n` runs the same again, as far as the machine lets it."""

from __future__ import annotations

import gc
import os
import random
from collections.abc import Iterator

import pytest

from tests.support.fork_server import ForkServer


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All of them belong to `make faults`. The Kafka client of the oracle leaves sockets behind when a broker dies."""
    for item in items:
        if "tests/faults" in item.nodeid:
            item.add_marker(pytest.mark.faults)
            item.add_marker(pytest.mark.filterwarnings("ignore::ResourceWarning"))
            item.add_marker(pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"))


@pytest.fixture(autouse=True)
def _collected() -> Iterator[None]:
    """Now, while these warnings are ignored."""
    yield
    gc.collect()


@pytest.fixture(scope="session")
def fork_server() -> Iterator[ForkServer]:
    fork_server = ForkServer()
    yield fork_server
    fork_server.close()


@pytest.fixture(scope="session")
def seed() -> int:
    return int(os.environ.get("FAULTS_SEED") or random.SystemRandom().randrange(1_000_000))


def pytest_report_header() -> str:
    return f"faults: FAULTS_SEED={os.environ.get('FAULTS_SEED') or 'drawn anew, see each test'}"
