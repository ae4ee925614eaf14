"""Every test here runs on both event loops; a test with the fixture `tls` runs in plain HTTP and in TLS."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Any

import pytest

from simulator.receiver import Receiver
from tests.integration.webhook.caller import Caller
from tests.integration.webhook.certificates import Certificates
from tests.integration.webhook.servers import receiving

LOOPS: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {"asyncio": asyncio.SelectorEventLoop}
with suppress(ImportError):  # an optional dependency
    from uvloop import new_event_loop as uvloop

    LOOPS["uvloop"] = uvloop


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    return LOOPS


@pytest.fixture(scope="session")
def certificates() -> Certificates:
    return Certificates()


@pytest.fixture(params=[False, True], ids=["plain", "tls"])
def tls(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture(autouse=True)
async def no_unhandled_error() -> AsyncIterator[None]:
    """Fails the test for what the loop only logs, such as an error in a callback of a protocol."""
    seen: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: seen.append(context))
    yield
    assert seen == []


@pytest.fixture
async def receiver(tls: bool, certificates: Certificates) -> AsyncIterator[Receiver]:
    async with receiving(tls=certificates.usual_server if tls else None) as receiver:
        yield receiver


@pytest.fixture
async def plain_receiver() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver


@pytest.fixture
async def caller(receiver: Receiver, certificates: Certificates) -> AsyncIterator[Caller]:
    """Calls the receiver, with more time than a call here takes."""
    async with Caller(receiver.url, tls=certificates.usual_client) as caller:
        yield caller
    await caller.no_connections_left(receiver)


@pytest.fixture
async def plain_caller(plain_receiver: Receiver) -> AsyncIterator[Caller]:
    async with Caller(plain_receiver.url) as caller:
        yield caller
    await caller.no_connections_left(plain_receiver)
