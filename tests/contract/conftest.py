from __future__ import annotations

from typing import Final

import pytest

from tests.support.transports import Log, make

#: Seconds that the next process waits after a kill.
SESSION: Final = 1.5


@pytest.fixture(params=["sqlite", "kafka", "kafka by password"])
def log(request: pytest.FixtureRequest) -> Log:
    """The last one is a secured cluster, with a principal for each role and exactly the rights that docs/operations.md lists."""
    return make(request.param, request, session=SESSION)
