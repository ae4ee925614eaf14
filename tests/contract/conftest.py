from __future__ import annotations

from typing import Final

import pytest

from tests.support.logs import Log, make

#: Seconds. Whoever takes over from a killed process waits for so long.
SESSION: Final = 1.5


@pytest.fixture(params=["sqlite", "kafka", "kafka by password"])
def log(request: pytest.FixtureRequest) -> Log:
    """The last one is a secured cluster: a principal for each role, with the rights that docs/operations.md lists."""
    return make(request.param, request, session=SESSION)
