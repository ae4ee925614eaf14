from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from simulator.tenant_log import TenantLog
from tests.e2e.stack import Stack, simple, stacked
from tests.support.listed_log import ListedLog
from tests.support.transports import Log


@pytest.fixture
def stack_of(tmp_path: Path, log: Log) -> Iterator[Callable[[TenantLog], Stack]]:
    """Makes a stack around a tenant's log, stopped at the end."""
    with ExitStack() as exits:
        yield lambda tenant_log: exits.enter_context(stacked(tmp_path, log.environ, tenant_log))


@pytest.fixture
def stack_with(tmp_path: Path) -> Iterator[Callable[[int], Stack]]:
    """Makes a stack on the embedded log, around a tenant with so many events."""
    with ExitStack() as exits:
        environ = {"SQLITE_PATH": str(tmp_path / "log.db")}
        yield lambda events: exits.enter_context(stacked(tmp_path, environ, ListedLog(simple(range(events)))))
