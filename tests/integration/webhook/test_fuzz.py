"""Whatever a receiver sends, each call gets exactly one result, and nothing is raised in the loop (the conftest checks it)."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from itertools import pairwise
from math import isfinite

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.integration.webhook.caller import Caller, delivery
from tests.integration.webhook.servers import Play, raw_server

some_bytes = st.binary(max_size=40)
numbers = st.sampled_from([b"0", b"3", b"-1", b"+3", b"1e3", b"9" * 30, b"0x3", "٣".encode(), b"", b"3, 3", b"NaN"])
dates = st.sampled_from(
    [
        b"Wed, 21 Oct %d 07:28:00 GMT" % 10**20,
        b"Wed, %d Oct 2015 07:28:00 GMT" % 10**20,
        b"Wed, 21 Oct 2015 07:28:00 +%d" % 10**20,
        b"Fri, 31 Dec 9999 23:59:59 -9999",
        b"Sunday, 06-Nov-94 08:49:37 GMT",
        b"Sun Nov  6 08:49:37 1994",
        b"Mon, 01 Jan 0001 00:00:00 +2359",
    ]
)
locations = st.sampled_from(
    [
        b"https://user:password@example.com/\x1b[31m?key=1",
        b"//",
        b"http://[",
        b"\xff\xfe",
        b"/",
        b"x" * 9000,
        b"http://h:99999999",
    ]
)
status_lines = st.one_of(
    st.builds(
        b"HTTP/%b %b %b\r\n".__mod__,
        st.tuples(
            st.sampled_from([b"1.1", b"1.0", b"2.0", b"0.9", b"9.99", b""]),
            st.sampled_from(
                [b"200", b"204", b"302", b"304", b"429", b"503", b"100", b"101", b"103", b"199", b"000", b"999", b"20", b"2000"]
            ),
            st.sampled_from([b"", b"OK", b"\x00", b"\xff" * 20, b"x" * 300]),
        ),
    ),
    some_bytes,
)
headers = st.one_of(
    st.builds(b"Retry-After: %b\r\n".__mod__, numbers | dates | some_bytes),
    st.builds(b"Location: %b\r\n".__mod__, locations | some_bytes),
    st.builds(b"Content-Length: %b\r\n".__mod__, numbers),
    st.builds(
        b"%b\r\n".__mod__,
        st.sampled_from(
            [
                b"Transfer-Encoding: chunked",
                b"Transfer-Encoding: gzip, chunked",
                b"Connection: close",
                b"Connection: upgrade",
                b"Upgrade: h2c",
                b"Content-Length : 3",
                b": x",
                b" folded",
                b"X",
                b"\x00: \x00",
                b"Trailer: Retry-After",
                b"\xff\xff: y",
                b"X" * 9000 + b": y",
            ]
        ),
    ),
    some_bytes,
)
chunks = st.builds(b"%b\r\n%b\r\n".__mod__, st.tuples(numbers | st.sampled_from([b"3;x=y", b"f" * 20, b"-3"]), some_bytes))
bodies = st.one_of(some_bytes, st.lists(chunks, max_size=4).map(b"".join), st.sampled_from([b"abc", b"3\r\nabc\r\n0\r\n\r\n"]))
heads = st.builds(
    lambda line, fields, end: line + b"".join(fields) + end,
    status_lines,
    st.lists(headers, max_size=6),
    st.sampled_from([b"\r\n", b"\n", b""]),
)
responses = st.one_of(
    st.binary(max_size=200),
    st.builds(lambda *parts: b"".join(parts), heads, bodies),
    st.builds(lambda first, then, body: first * 3 + then + body, heads, heads, bodies),
)
FLOODS = (
    b"HTTP/1.1 100 Continue\r\n\r\n" * 5000,
    b"HTTP/1.1 503 X\r\n" + b"a: b\r\n" * 20_000 + b"\r\n",
    b"HTTP/1.1 503 X\r\n" + b"Retry-After: %b\r\n\r\n" % (b"9" * 60_000),
    b"HTTP/1.1 503 X\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 20_000,
    b"HTTP/1.1 302 X\r\nLocation: " + b"y" * 200_000,
    b"\x00" * 100_000,
    b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n" * 5,
    b"\x15\x03\x01\x00\x02\x02\x46",
)


def _sends(response: bytes, cuts: list[int]) -> Play:
    async def play(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n{}")
        offsets = [0, *sorted(cut % (len(response) + 1) for cut in cuts), len(response)]
        with suppress(RuntimeError):  # raised by uvloop, not by asyncio, if the client has closed meanwhile
            for start, end in pairwise(offsets):
                writer.write(response[start:end])
                await asyncio.sleep(0)
            writer.write_eof()
            await reader.read()

    return play


async def _calls(play: Play) -> None:
    async with raw_server(play) as address:
        async with Caller(f"http://{address}") as caller:
            for attempt in [await caller.call("1"), *await caller.calls(2)]:
                assert (attempt.status is None) == (not attempt.summary.startswith("answered "))
                assert attempt.summary.isprintable()
                assert len(attempt.summary) < 200
                assert attempt.retry_after is None or (attempt.retry_after >= 0 and isfinite(attempt.retry_after))
            broken_off = delivery("2")
            result = caller.start(broken_off)
            caller.webhook.cancel(broken_off)
            await caller.call("3")
        assert not result.done()
        assert caller.results == 4


@settings(suppress_health_check=list(HealthCheck))
@given(responses, st.lists(st.integers(0, 10**6), max_size=5))
@example(b"HTTP/1.1 503 X\r\nRetry-After: Wed, 21 Oct 99999999999999999999 07:28:00 GMT\r\n\r\n", [])
async def test_each_call_has_one_result_whatever_the_response(response: bytes, cuts: list[int]) -> None:
    await _calls(_sends(response, cuts))


async def test_each_call_has_one_result_whatever_floods_it() -> None:
    for flood in FLOODS:
        await _calls(_sends(flood, []))
