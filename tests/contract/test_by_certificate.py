"""The contract by client certificates. Only the login is another: two tests, in which each role has its say."""

from __future__ import annotations

import pytest

from tests.contract.conftest import SESSION
from tests.contract.test_member import test_an_onlooker_sees_begin_end_and_committed as test_an_onlooker
from tests.contract.test_member import test_records_published_later_by_another_process_arrive as test_another_process
from tests.support.logs import Log, make

__all__ = ["test_an_onlooker", "test_another_process"]


@pytest.fixture
def log(request: pytest.FixtureRequest) -> Log:
    return make("kafka by certificate", request, session=SESSION)
