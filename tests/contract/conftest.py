from __future__ import annotations

import pytest

from tests.logs import Log, make


@pytest.fixture(params=["sqlite", "kafka", "kafka by password", "kafka by certificate"])
def log(request: pytest.FixtureRequest) -> Log:
    return make(request.param, request)
