"""The causes that the client reports for real receivers that are not what the URL says."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.http.url import loggable
from consumer.webhook import Attempt, Cause
from shared import masking
from simulator.receiver import Receiver
from tests.integration.webhook.caller import Caller
from tests.integration.webhook.certificates import Certificates
from tests.integration.webhook.servers import Play, raw_server, receiving
from tests.support import faults


async def _call(url: str, tls: ssl.SSLContext | None = None, *, proxy: str | None = None) -> Attempt:
    async with Caller(url, tls=tls, proxy=proxy) as caller:
        return await caller.call()


def _says(*pieces: bytes) -> Play:
    async def play(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        for piece in pieces:
            writer.write(piece)
        await writer.drain()
        await reader.read()

    return play


async def test_tls_on_a_port_that_speaks_plain_http(certificates: Certificates) -> None:
    async with receiving() as receiver:
        attempt = await _call(receiver.url.replace("http:", "https:"), certificates.usual_client)
        assert (attempt.status, attempt.cause) == (None, Cause.NO_TLS)
        assert attempt.problem
        assert len(receiver.journal) == 0
    async with raw_server(_says(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")) as address:
        assert (await _call(f"https://{address}", certificates.usual_client)).cause is Cause.NO_TLS


async def test_plain_http_on_a_port_that_speaks_tls(certificates: Certificates) -> None:
    async with receiving(tls=certificates.usual_server) as receiver:
        attempt = await _call(receiver.url.replace("https:", "http:"))
        assert (attempt.status, attempt.cause) == (None, Cause.MAY_WANT_TLS)
        assert attempt.problem


async def test_plain_http_on_a_port_of_openssl_itself(certificates: Certificates) -> None:
    def serve() -> None:
        plain = listener.accept()[0]
        with suppress(OSError), plain:
            certificates.usual_server.wrap_socket(plain, server_side=True)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        attempt = await _call(f"http://127.0.0.1:{listener.getsockname()[1]}")
        await asyncio.to_thread(thread.join)
    assert attempt.cause in (Cause.MAY_WANT_TLS, Cause.WANTS_TLS)


WORDS = {
    "nginx": b"HTTP/1.1 400 Bad Request\r\n\r\n<center>The plain HTTP request was sent to HTTPS port</center>",
    "Go": b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n",
    "Apache": b"HTTP/1.1 400 Bad Request\r\n\r\nReason: You're speaking plain HTTP to an SSL-enabled server port.<br />",
    "an alert": b"\x15\x03\x01\x00\x02\x02\x46",
}


@pytest.mark.parametrize("server", WORDS)
async def test_plain_http_on_a_port_that_says_that_it_speaks_tls(server: str) -> None:
    async with raw_server(_says(WORDS[server])) as address:
        assert (await _call(f"http://{address}")).cause is Cause.WANTS_TLS


async def test_a_connection_that_worked_before_is_not_suspected(plain_caller: Caller, plain_receiver: Receiver) -> None:
    await plain_caller.call("warm")
    plain_receiver.script.in_order(faults.close())
    assert (await plain_caller.call()).cause is None


async def test_a_name_without_an_address_and_a_port_where_nothing_listens() -> None:
    assert (await _call(f"http://{'x' * 70}.example")).cause is Cause.NO_ADDRESS
    attempt = await _call("http://no-such-host.invalid/")  # without a network, the resolver may not respond in time
    assert attempt.status is None
    assert attempt.problem
    assert (await _call("http://127.0.0.1:1")).cause is Cause.NOT_LISTENING


async def test_a_proxy_that_is_not_there_is_not_taken_for_the_webhook() -> None:
    for url in ("http://example.com", "https://example.com"):
        assert (await _call(url, proxy="http://127.0.0.1:1")).cause is Cause.PROXY


async def test_a_certificate_that_does_not_fit(certificates: Certificates) -> None:
    async with receiving(tls=certificates.self_signed_server()) as receiver:
        assert (await _call(receiver.url, certificates.usual_client)).cause is Cause.CERTIFICATE


async def test_a_redirect_says_where_it_leads(plain_caller: Caller, plain_receiver: Receiver) -> None:
    location = "https://me:hush@example.com/new\x9b/place?key=hush#hush"
    plain_receiver.script.in_order(faults.status(308, headers=(("Location", location),)))
    assert (await plain_caller.call()).location == "https://example.com/new /place"


@pytest.mark.parametrize(
    ("location", "safe"),
    [
        ("/elsewhere", "/elsewhere"),
        ("//me:hush@example.com/x", "//example.com/x"),
        ("https:\\\\me:hush@example.com\\x", "https:\\\\example.com\\x"),
        ("me:hush@example.com", "example.com"),
        ("https://example.com/@name", "https://example.com/@name"),
        ("https://a@b:hush@example.com/", "https://example.com/"),
        ("http://[", "http://["),
        ("", ""),
    ],
)
def test_userinfo_and_query_are_never_logged(location: str, safe: str) -> None:
    assert loggable(location) == safe


@given(st.text(max_size=300), st.text(max_size=300))
def test_every_location_of_a_redirect_can_be_logged(before: str, after: str) -> None:
    masking.use(["canary-canary"])
    try:
        logged = loggable(f"{before}canary-canary{after}")
    finally:
        masking.use([])
    assert "canary" not in logged.replace(before, "").replace(after, "")
    assert logged.isprintable()
    assert len(logged) <= 201
