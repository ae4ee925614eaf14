"""Our client through a proxy."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable

import pytest

from simulator.receiver import Receiver
from tests.integration.webhook.caller import Caller, delivery
from tests.integration.webhook.certificates import Certificates
from tests.integration.webhook.proxy import Proxy, running
from tests.integration.webhook.servers import raw_server, receiving


def _through(
    proxy: str, url: str, certificates: Certificates, *, connect_timeout: float = 5, allow_private: bool = True
) -> Caller:
    return Caller(
        url,
        headers={"X": "y"},
        connect_timeout=connect_timeout,
        tls=certificates.usual_client,
        proxy=proxy,
        allow_private=allow_private,
    )


async def test_calls_go_through_the_proxy(receiver: Receiver, certificates: Certificates, tls: bool) -> None:
    async with (
        running(Proxy()) as proxy,
        _through(f"http://proxy%40us:p%3Aw@{proxy.address}", f"{receiver.url}/hook?a=b", certificates) as caller,
    ):
        for _ in range(3):
            assert (await caller.call()).status == 200
    [head] = proxy.heads
    host = receiver.url.partition("://")[2]
    line = f"CONNECT {host} HTTP/1.1\r\n" if tls else f"POST {receiver.url}/hook?a=b HTTP/1.1\r\n"
    assert head.startswith(line)
    assert f"\r\nHost: {host}\r\n" in head
    assert "\r\nProxy-Authorization: Basic cHJveHlAdXM6cDp3\r\n" in head
    assert ("X: y" in head) is not tls
    sent = dict(receiver.journal.all[0].headers)
    assert sent["host"] == host
    assert ("proxy-authorization" in sent) is not tls  # a proxy takes it out; this one only copies
    assert len(receiver.journal) == 3


async def test_a_proxy_behind_tls(receiver: Receiver, certificates: Certificates, monkeypatch: pytest.MonkeyPatch) -> None:
    """TLS within TLS, for a secure webhook."""
    monkeypatch.setattr(ssl, "create_default_context", lambda: certificates.usual_client)  # as if the machine trusted it
    async with (
        running(Proxy(), tls=certificates.usual_server) as proxy,
        _through(f"https://{proxy.address}", receiver.url, certificates) as caller,
    ):
        assert (await caller.call(body=b"x" * 500_000)).status == 200
        assert (await caller.call()).status == 200
    assert len(proxy.heads) == 1


REFUSALS = {
    b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n": "it answered 407",
    b"HTTP/1.1 503 No\r\nContent-Length: 100\r\n\r\n": "it answered 503",
    b"SSH-2.0\r\n": "no valid HTTP response: Expected HTTP/, RTSP/ or ICE/",
    b"": "the connection was closed before a response",
    b"HTTP/1.1 40": "the connection was closed within the head of the response",
}


@pytest.mark.parametrize("response", REFUSALS)
async def test_a_proxy_that_does_not_open_the_tunnel(certificates: Certificates, response: bytes) -> None:
    async with (
        running(Proxy(response)) as proxy,
        _through(f"http://{proxy.address}", "https://example.com", certificates) as caller,
    ):
        assert (await caller.call()).problem == f"no way through the proxy: {REFUSALS[response]}"


async def test_a_proxy_that_is_not_there(certificates: Certificates) -> None:
    async with _through("http://127.0.0.1:1", "https://example.com", certificates) as caller:
        assert (await caller.call()).problem == "no connection: Connection refused"


async def test_a_wrong_certificate_behind_the_proxy(certificates: Certificates) -> None:
    async with (
        receiving(tls=certificates.server(host="other.test")) as receiver,
        running(Proxy()) as proxy,
        _through(f"http://{proxy.address}", receiver.url, certificates) as caller,
    ):
        assert (await caller.call()).problem.startswith("its certificate is not accepted: ")
    assert len(receiver.journal) == 0


@pytest.fixture(params=["silent proxy", "silent webhook"])
def silent(request: pytest.FixtureRequest) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]:
    async def play(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        if request.param == "silent webhook":
            writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        await reader.read()

    return play


async def test_a_silent_proxy_or_webhook_costs_the_connect_timeout(
    silent: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]], certificates: Certificates
) -> None:
    async with (
        raw_server(silent) as address,
        _through(f"http://{address}", "https://example.com", certificates, connect_timeout=0.5) as caller,
    ):
        assert (await caller.call()).problem == "no connection within 0.5 s"
        one = delivery()
        result = caller.start(one)
        await asyncio.sleep(0.05)
        caller.webhook.cancel(one)
    assert not result.done()


async def test_an_address_in_the_url_is_checked_before_the_proxy_is_called(certificates: Certificates) -> None:
    async with running(Proxy()) as proxy:
        for url, allow_private in (("http://169.254.169.254", True), ("https://[fe80::1]", True), ("http://10.0.0.1", False)):
            async with _through(f"http://{proxy.address}", url, certificates, allow_private=allow_private) as caller:
                assert (await caller.call()).problem.startswith("refused by us: ")
    assert proxy.heads == []


async def test_a_proxy_may_be_private_where_the_webhook_may_not(receiver: Receiver, certificates: Certificates) -> None:
    url = receiver.url.replace("127.0.0.1", "localhost")
    async with (
        running(Proxy()) as proxy,
        _through(f"http://{proxy.address}", url, certificates, allow_private=False) as caller,
    ):
        await caller.call()
    assert len(proxy.heads) == 1
