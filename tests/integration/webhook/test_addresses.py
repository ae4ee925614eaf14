"""Where our own client connects to, and where never."""

from __future__ import annotations

import socket
from math import inf

import pytest

from consumer.http.addresses import Address
from consumer.http.client import HttpWebhook
from consumer.http.dial import Direct
from simulator.receiver import Receiver
from tests.integration.webhook.caller import Caller


async def test_one_address_after_the_other_is_tried_and_the_one_that_works_comes_first(plain_receiver: Receiver) -> None:
    nobody, somebody = ("127.0.0.1", 1), ("127.0.0.1", plain_receiver.port)
    webhook = HttpWebhook(url="http://several.invalid", headers={}, timeout=5, connect_timeout=5)
    assert isinstance(webhook._route, Direct)
    addresses = webhook._route._addresses
    addresses._known = [Address(socket.AF_INET, nobody), Address(socket.AF_INET, somebody)]
    addresses._until = inf
    async with Caller(webhook) as caller:
        assert (await caller.call()).status == 200
        assert [address.place for address in await addresses.get()] == [somebody, nobody]
        await plain_receiver.stop()
        await caller.call()
        assert (await caller.call()).problem.startswith("no ")
        assert addresses._until == 0 or addresses._problem  # asked again


REFUSED = [
    "http://169.254.169.254/latest/meta-data",
    "https://169.254.1.1",
    "http://[fe80::1]",
    "http://[fd00:ec2::254]",
    "http://[::ffff:169.254.169.254]",
    "http://[64:ff9b::a9fe:a9fe]",
    "http://[2002:a9fe:a9fe::]",
    "http://100.100.100.200",
    "http://2852039166",  # not a usual form of an address, but what resolvers make of it counts
]


@pytest.mark.parametrize("url", REFUSED)
async def test_metadata_addresses_are_never_called(url: str) -> None:
    async with Caller(HttpWebhook(url=url, headers={}, timeout=5, connect_timeout=5)) as caller:
        attempt = await caller.call()
    assert attempt.problem.startswith("refused by us: ")
    assert attempt.problem.endswith(" is a link-local or cloud-metadata address")


async def test_private_addresses_can_be_refused_too(plain_receiver: Receiver) -> None:
    url = f"http://localhost:{plain_receiver.port}"
    async with Caller(HttpWebhook(url=url, headers={}, timeout=5, connect_timeout=5)) as caller:
        assert (await caller.call()).status == 200
    async with Caller(HttpWebhook(url=url, headers={}, timeout=5, connect_timeout=5, allow_private=False)) as caller:
        assert "is not a public address" in (await caller.call()).problem
    assert len(plain_receiver.journal) == 1
