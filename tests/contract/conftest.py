"""The adapters that the contract suite runs on. Another adapter is one more parameter here."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.contract.harness import Log


def _sqlite(tmp_path: Path) -> Log:
    environ = {"SQLITE_PATH": str(tmp_path / "log.db")}
    return Log(environ=environ, second_poller_waits=False, shares_partitions=False)


@pytest.fixture(params=["sqlite"])
def log(request: pytest.FixtureRequest, tmp_path: Path) -> Log:
    match request.param:
        case "sqlite":
            return _sqlite(tmp_path)
        case other:
            raise AssertionError(other)
