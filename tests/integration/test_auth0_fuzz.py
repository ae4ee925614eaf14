"""Whatever Auth0, or what stands in front of it, responds: only our errors come out of the client, and the next page is read."""

from __future__ import annotations

import asyncio
import re
import socket
from contextlib import suppress
from typing import Final

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from producer.auth0.client import Auth0Logs
from shared.errors import Auth0Unavailable, WebhooksError
from simulator.tenant import Tenant
from tests.integration.pollers import TLS
from tests.integration.webhook.servers import Play, raw_server
from tests.support.listed_log import ListedLog

TOKEN: Final = b'{"access_token":"abc","expires_in":3600}'
PAGE: Final = b'[{"log_id":"1"}]'

urls = st.sampled_from(
    [
        *(
            b"http://[",
            b"https://\xff/",
            b"//",
            b"http://xn--\xe9/",
            b"http://h:99999999/",
            b"http:///x",
            b"x://y",
            b"",
            b"?\xe9",
        ),
        *(b"http://a..b/", b"http://[::1%25x]/", b"http:x", b"/\x00", b"x" * 70_000, b"http://" + b"a" * 300 + b".com/"),
    ]
)
huge = st.integers(0, 10**20)
junk = st.binary(max_size=30).map(lambda raw: raw.replace(b"\n", b"").replace(b"\r", b""))
headers = st.one_of(
    st.builds(b"Set-Cookie: %b=%b\r\n".__mod__, st.tuples(junk, junk)),
    st.builds(b"Set-Cookie: a=b; Expires=Wed, 21 Oct %d 07:28:00 GMT; Max-Age=%d\r\n".__mod__, st.tuples(huge, huge)),
    st.builds(b"Location: %b\r\n".__mod__, urls | junk),
    st.builds(b"Link: <%b>; rel=next\r\n".__mod__, urls | junk),
    st.builds(b"Retry-After: %b\r\n".__mod__, junk | st.just(b"Wed, 21 Oct %d 07:28:00 GMT" % 10**20)),
    st.builds(b"x-ratelimit-reset: %b\r\n".__mod__, junk | st.just(b"9" * 400)),
    st.builds(b"Date: %b\r\n".__mod__, junk | st.just(b"Mon, 01 Jan 0001 00:00:00 +2359")),
    st.builds(b"Content-Type: %b\r\n".__mod__, junk | st.just(b"text/html; charset=no-such")),
    st.sampled_from([b"Content-Encoding: gzip\r\n", b"Content-Encoding: deflate, br\r\n", b"Transfer-Encoding: chunked\r\n"]),
    st.builds(b"%b: %b\r\n".__mod__, st.tuples(junk, junk)),
)
statuses = st.sampled_from(b"200 204 302 304 307 400 401 403 404 429 503 999 20 \xff".split())
words = st.builds(
    b'{"error_description":"%b","message":%b}'.__mod__, st.tuples(junk, st.sampled_from([b"1", b"null", b'"\\ud83d"', b"[]"]))
)
tokens = st.builds(
    b'{"access_token":%b,"expires_in":%b,"scope":%b}'.__mod__,
    st.tuples(
        st.sampled_from([b'"abc"', b"1", b"null", b'"\\n"', b'"\\ud83d"', b'""']),
        st.sampled_from([b"1e400", b"-1", b"NaN", b"true", b'"x"', b"9" * 400, b"[]", b'"1_0"']),
        st.sampled_from([b'"a"', b"[" * 900 + b"]" * 900, b"null", b'"\\ud83d"', b'{"a":{}}']),
    ),
)
bodies = st.one_of(words, tokens, st.binary(max_size=60), st.sampled_from([PAGE, b"", b"[" * 3000, b"9" * 5000, b"\xff\xfe"]))
lengths = st.sampled_from([lambda body: b"Content-Length: %d\r\n" % len(body), lambda _: b""])
responses = st.builds(
    lambda status, fields, body, length: b"HTTP/1.1 %b X\r\n%b%b\r\n%b" % (status, b"".join(fields), length(body), body),
    statuses,
    st.lists(headers, max_size=4),
    bodies,
    lengths,
)


def _responds(response: bytes, *, to_token: bool) -> Play:
    async def play(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            asks_token = head.startswith(b"POST")
            if length := re.search(rb"content-length: (\d+)", head.lower()):
                await reader.readexactly(int(length[1]))
            if asks_token == to_token:
                writer.write(response)
                return await writer.drain()  # what follows it is undefined, so the connection ends
            body = TOKEN if asks_token else PAGE
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))

    return play


@settings(suppress_health_check=list(HealthCheck))
@given(response=responses, to_token=st.booleans())
@example(response="HTTP/1.1 200 OK\r\nSet-Cookie: a=\xe9\r\nContent-Length: 2\r\n\r\n[]".encode("latin-1"), to_token=False)
@example(response="HTTP/1.1 503 OK\r\nSet-Cookie: a=\xe9\r\nContent-Length: 0\r\n\r\n".encode("latin-1"), to_token=True)
async def test_only_our_errors_come_out(response: bytes, to_token: bool) -> None:
    """A cookie that is not ASCII raised `UnicodeEncodeError` out of every later request, and ended the process."""
    async with raw_server(_responds(response, to_token=to_token)) as address:
        logs = Auth0Logs(
            base_url=f"http://{address}", client_id="c", client_secret="s", audience="a", batch_size=5, tls=TLS, deadline=20
        )
        try:
            for _ in range(3):
                with suppress(WebhooksError):
                    page = await logs.after("1")
                    await logs.follow(page.following or f"http://{address}/")
            with suppress(WebhooksError):
                await logs.first()
        finally:
            await logs.close()


async def _reason(base_url: str, *, proxy: str | None = None) -> str:
    logs = Auth0Logs(base_url=base_url, client_id="c", client_secret="s", audience="a", batch_size=5, tls=TLS, proxy=proxy)
    try:
        with pytest.raises(Auth0Unavailable) as caught:
            await logs.after("1")
    finally:
        await logs.close()
    return str(caught.value)


async def test_a_name_without_an_address_names_the_setting_to_look_at(monkeypatch: pytest.MonkeyPatch) -> None:
    def getaddrinfo(*_: object, **__: object) -> None:  # what a name server says of such a name, without asking one
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    assert "its name has no address, look at AUTH0_DOMAIN" in await _reason("https://no-such-tenant.invalid")


async def test_a_port_that_is_not_what_the_url_says_names_the_setting_to_look_at() -> None:
    assert "nothing listens there, look at AUTH0_DOMAIN" in await _reason("https://127.0.0.1:1")
    assert "nothing listens there, look at AUTH0_PROXY" in await _reason("https://127.0.0.1:1", proxy="http://127.0.0.1:1")
    tenant = Tenant(ListedLog([]))
    await tenant.start()
    try:
        assert "its port speaks no TLS, look at AUTH0_DOMAIN" in await _reason(tenant.url.replace("http:", "https:"))
    finally:
        await tenant.stop()
