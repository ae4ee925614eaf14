"""Any client of the metrics server, with any request: it answers or closes, and the loop beside it goes on."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from admin import metrics_server
from admin.metrics_server import ServedPage, serving, text_page
from shared.errors import EnvironmentUnusable
from tests.support.scrape import ask, free_port, send

_requests = st.one_of(
    st.binary(max_size=400),
    st.binary(max_size=60).map(lambda noise: b"GET /metrics" + noise + b"\r\n\r\n"),
    st.sampled_from([b"GET", b"POST", b"HEAD", b"get", b""]).flatmap(
        lambda method: st.sampled_from(
            [b"/metrics", b"/healthz?x=1", b"/", b"//metrics", b"http://x/metrics", b"/%6detrics"]
        ).map(lambda path: method + b" " + path + b" HTTP/1.1\r\nHost: x\r\n\r\n")
    ),
    st.just(b"GET /metrics HTTP/1.1\r\n" + b"X: " + b"y" * 9000 + b"\r\n\r\n"),
)


@asynccontextmanager
async def _served() -> AsyncIterator[int]:
    port = free_port()
    pages = {b"/metrics": lambda: text_page(HTTPStatus.OK, "x" * 200_000), b"/healthz": lambda: text_page(HTTPStatus.OK, "ok")}
    async with serving(pages, "127.0.0.1", port):
        yield port


@given(st.lists(_requests, max_size=8))
@settings(max_examples=30, suppress_health_check=[HealthCheck.too_slow])
def test_whatever_is_sent_it_answers_as_http_or_closes_and_serves_the_next(requests: list[bytes]) -> None:
    async def play() -> None:
        async with _served() as port:
            answers = await asyncio.gather(*(send(port, request + b"\r\n\r\n") for request in requests))
            assert all(not answer or answer.startswith(b"HTTP/1.1 ") for answer in answers)
            assert await ask(port, "/healthz") == (200, "ok\n")

    asyncio.run(play())


async def test_pages_are_found_by_path_and_others_are_named() -> None:
    async with _served() as port:
        assert await ask(port, "/healthz?probe=1") == (200, "ok\n")
        assert await ask(port, "/healthz", method="HEAD") == (200, "")
        assert await ask(port, "/") == (404, "/metrics /healthz\n")
        assert (await ask(port, "/metrics", method="POST"))[0] == 405
        assert len((await ask(port))[1]) == 200_001


async def test_slow_clients_take_no_more_than_their_places_and_lose_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics_server, "_TIME", 1.0)
    async with _served() as port:
        clients = [(await asyncio.open_connection("127.0.0.1", port))[1] for _ in range(60)]
        for place, client in enumerate(clients):
            client.write(b"GET /metrics HTTP/1.1\r\n\r\n" if place % 2 else b"GET /met")
        began, longest = time.monotonic(), 0.0
        while time.monotonic() - began < 0.5:
            before = time.monotonic()
            await asyncio.sleep(0.001)
            longest = max(longest, time.monotonic() - before)
        assert longest < 5, "the loop stood still"
        await asyncio.sleep(1.0)
        assert (await ask(port, "/healthz"))[0] == 200, "they have lost their places"
        for client in clients:
            client.transport.abort()


async def test_a_page_is_made_at_most_ten_times_a_second() -> None:
    made = 0

    def page() -> ServedPage:
        nonlocal made
        made += 1
        return text_page(HTTPStatus.OK, str(made))

    port, began = free_port(), time.monotonic()
    async with serving({b"/metrics": page}, "127.0.0.1", port):
        for _ in range(50):
            await send(port, b"GET /metrics HTTP/1.1\r\n\r\n")
    assert 1 <= made <= 1 + 10 * (time.monotonic() - began)


@pytest.mark.parametrize("host", ["127.0.0.1", "no-such-host.invalid", "203.0.113.7", "x" * 300, "a\udcffb"])
async def test_a_place_where_it_cannot_listen_is_one_line_that_names_it(host: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(EnvironmentUnusable, match=f"METRICS_PORT={port}: cannot listen there") as caught:
            async with serving({}, host, port):
                pass
    assert "\n" not in str(caught.value)
