from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
import structlog

from tests.unit.consumer.manual import ManualLoop


@pytest.fixture
def without_a_log() -> Iterator[None]:
    """For machines: writing it would take longer than all the rest."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.reset_defaults()


@pytest.fixture
def loop() -> Iterator[ManualLoop]:
    loop = ManualLoop()
    yield loop
    loop.end()
