"""The contract with client certificates. Only the login differs, so two tests suffice, in which every role takes part."""

from __future__ import annotations

import pytest

from tests.contract.conftest import SESSION
from tests.contract.test_member import test_progress_shows_begin_end_and_committed as test_progress
from tests.contract.test_member import test_records_published_later_by_another_process_arrive as test_another_process
from tests.support.transports import Log, make

__all__ = ["test_another_process", "test_progress"]


@pytest.fixture
def log(request: pytest.FixtureRequest) -> Log:
    return make("kafka by certificate", request, session=SESSION)
