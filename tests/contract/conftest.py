from __future__ import annotations

from typing import Final

import pytest

from tests.support.transports import Log, make

#: Seconds that the next process waits after a kill.
SESSION: Final = 1.5
#: For a test that asks Kafka for nothing that another one does not ask for too: with a login it would show nothing new.
any_login: Final = pytest.mark.parametrize("log", ["sqlite", "kafka"], indirect=True)


@pytest.fixture(params=["sqlite", "kafka", "kafka by password"])
def log(request: pytest.FixtureRequest) -> Log:
    """The last one is a secured cluster, with a principal for each role and exactly the rights that docs/operations.md lists."""
    return make(request.param, request, session=SESSION)
