"""The addresses that our client connects to, and those that it never does."""

from __future__ import annotations

import socket
from math import inf

import pytest

from consumer.http import connect
from consumer.http.connect import Address, DirectRoute, Resolver
from simulator.receiver import Receiver
from tests.integration.webhook.caller import Caller


def _resolver(caller: Caller) -> Resolver:
    assert isinstance(caller.webhook._route, DirectRoute)
    return caller.webhook._route._resolver


async def test_one_address_after_the_other_is_tried_and_the_one_that_works_comes_first(plain_receiver: Receiver) -> None:
    closed, listening = ("127.0.0.1", 1), ("127.0.0.1", plain_receiver.port)
    async with Caller("http://several.invalid") as caller:
        resolver = _resolver(caller)
        resolver._addresses = [Address(socket.AF_INET, closed), Address(socket.AF_INET, listening)]
        resolver._until = inf
        assert (await caller.call()).status == 200
        assert [address.sockaddr for address in await resolver.resolve()] == [listening, closed]
        await plain_receiver.stop()
        await caller.call()
        assert (await caller.call()).problem.startswith("no ")
        assert resolver._until == 0 or resolver._error  # looked up again


async def test_a_name_that_had_no_address_is_looked_up_again(plain_receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    """A failure is remembered for a second, so that fifty calls make one query, and not for as long as an address is."""
    monkeypatch.setattr(connect, "_FAILURE_REMEMBERED", 0.0)
    async with Caller(plain_receiver.url) as caller:
        resolver = _resolver(caller)
        url = resolver._url
        resolver._url = url._replace(host="x" * 70)  # no name has such a label: it fails without a query
        assert (await caller.call()).problem.startswith("no address for its name")
        resolver._url = url
        assert (await caller.call()).status == 200


REFUSED = [
    "http://169.254.169.254/latest/meta-data",
    "https://169.254.1.1",
    "http://[fe80::1]",
    "http://[fd00:ec2::254]",
    "http://[fd00:42::42]",
    "http://192.0.0.192",
    "http://[::ffff:169.254.169.254]",
    "http://[64:ff9b::a9fe:a9fe]",
    "http://[2002:a9fe:a9fe::]",
    "http://100.100.100.200",
    "http://2852039166",  # not a usual form of an address: what the resolver makes of it counts
]


@pytest.mark.parametrize("url", REFUSED)
async def test_metadata_addresses_are_never_called(url: str) -> None:
    async with Caller(url) as caller:
        attempt = await caller.call()
    assert attempt.problem.startswith("refused by us: ")
    assert attempt.problem.endswith(" is a link-local or cloud-metadata address")


async def test_private_addresses_can_be_refused_too(plain_receiver: Receiver) -> None:
    url = f"http://localhost:{plain_receiver.port}"
    async with Caller(url) as caller:
        assert (await caller.call()).status == 200
    async with Caller(url, allow_private=False) as caller:
        assert "is not a public address" in (await caller.call()).problem
    assert len(plain_receiver.journal) == 1
