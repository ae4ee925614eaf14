"""Nothing is sent to a receiver that does not prove its identity, and the reason is reported."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress

import pytest

from consumer.webhook import Attempt
from tests.integration.webhook.caller import Caller
from tests.integration.webhook.certificates import Certificates
from tests.integration.webhook.servers import raw_server, receiving

UNFIT: dict[str, tuple[Callable[[Certificates], ssl.SSLContext], str]] = {
    "expired": (lambda all_: all_.server(expired=True), "certificate has expired"),
    "unknown authority": (lambda all_: all_.server(foreign=True), "unable to get local issuer certificate"),
    "self-signed": (lambda all_: all_.self_signed_server(), "self-signed certificate"),
    "wrong host": (lambda all_: all_.server(host="other.test"), "certificate is not valid for '127.0.0.1'"),
}


async def _call(url: str, tls: ssl.SSLContext, connect_timeout: float = 5) -> Attempt:
    async with Caller(url, connect_timeout=connect_timeout, tls=tls) as caller:
        return await caller.call()


@pytest.mark.parametrize("kind", UNFIT)
async def test_a_certificate_that_does_not_fit(certificates: Certificates, kind: str) -> None:
    server, words = UNFIT[kind]
    async with receiving(tls=server(certificates)) as receiver:
        attempt = await _call(receiver.url, certificates.usual_client)
    assert attempt.status is None
    assert attempt.problem.startswith("its certificate is not accepted: ")
    assert words in attempt.problem
    assert len(receiver.journal) == 0


async def test_tls_that_is_too_old(certificates: Certificates) -> None:
    async with receiving(tls=certificates.old_server()) as receiver:
        attempt = await _call(receiver.url, certificates.usual_client)
    assert attempt.status is None
    assert attempt.problem


async def test_a_client_certificate_is_shown(certificates: Certificates) -> None:
    async with receiving(tls=certificates.strict_server()) as receiver:
        assert (await _call(receiver.url, certificates.client(certificate=True))).status == 200
        attempt = await _call(receiver.url, certificates.usual_client)
    assert attempt.status is None
    assert len(receiver.journal) == 1


async def test_a_handshake_that_never_ends(certificates: Certificates) -> None:
    async def play(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with raw_server(play) as address:
        attempt = await _call(f"https://{address}", certificates.usual_client, connect_timeout=0.2)
    assert attempt.problem == "no connection within 0.2 s"


async def test_a_handshake_that_breaks_off(certificates: Certificates) -> None:
    async def play(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await reader.read(1)

    async with raw_server(play) as address:
        attempt = await _call(f"https://{address}", certificates.usual_client)
    assert attempt.status is None
    assert attempt.problem.startswith("no connection: ")


async def test_a_tls_alert_after_the_handshake_is_reported(certificates: Certificates) -> None:
    """In TLS 1.3 a missing client certificate is rejected only after the request is sent."""

    def refuse_one() -> None:  # with blocking sockets: asyncio's server closes without an alert
        plain = listener.accept()[0]
        secure = certificates.strict_server().wrap_socket(plain, server_side=True, do_handshake_on_connect=False)
        with secure, suppress(OSError):
            try:
                secure.do_handshake()
            finally:  # unread bytes would turn the end into a reset, which can overtake the alert
                while os.read(secure.fileno(), 65536):
                    pass

    with socket.create_server(("127.0.0.1", 0)) as listener:
        refusing = asyncio.create_task(asyncio.to_thread(refuse_one))
        url = f"https://127.0.0.1:{listener.getsockname()[1]}"
        attempt = await _call(url, certificates.usual_client)
        await refusing
    assert attempt.problem == "the connection broke: tlsv13 alert certificate required"
