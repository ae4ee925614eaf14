"""Answers that are not quite HTTP, or not quite one answer. Which the client must take, and which not, is what `head` says."""

from __future__ import annotations

import asyncio

from simulator.faults import Fault
from simulator.http import Exchange
from simulator.wire import Answer, encode, encode_head

_OK = b"HTTP/1.1 200 OK\r\n"


def _sent(name: str, data: bytes, *, head: bool, whole: bool = False) -> Fault:
    """These bytes in the place of an answer, then the end."""

    async def play(exchange: Exchange, _answer: Answer) -> None:
        exchange.send(data)
        exchange.close()

    return Fault(name=name, change=lambda _: Answer(200), play=play, head=head, whole=whole)


def garbage() -> Fault:
    """Another protocol lives on this port."""
    return _sent("garbage", b"SSH-2.0-OpenSSH_9.6\r\n", head=False)


def no_head() -> Fault:
    """HTTP/0.9: the body alone."""
    return _sent("no head", b"<html>HTTP/1.1 200 OK</html>\r\n\r\n", head=False)


def no_status() -> Fault:
    """A status line without a status."""
    return _sent("no status", b"HTTP/1.1 OK\r\nContent-Length: 0\r\n\r\n", head=False)


def bad_header() -> Fault:
    """A header with a NUL in it."""
    return _sent("bad header", _OK + b"X: a\0b\r\nContent-Length: 0\r\n\r\n", head=False)


def two_lengths() -> Fault:
    """Two Content-Lengths that contradict each other."""
    return _sent("two lengths", _OK + b"Content-Length: 2\r\nContent-Length: 30\r\n\r\nok", head=False)


def negative_length() -> Fault:
    return _sent("negative length", _OK + b"Content-Length: -2\r\n\r\nok", head=False)


def length_and_chunks() -> Fault:
    """A length and chunks: two readers would disagree where the answer ends."""
    return _sent(
        "length and chunks", _OK + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", head=False
    )


def bad_chunk() -> Fault:
    """A chunk whose size is no number."""
    return _sent("bad chunk", _OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nok\r\n0\r\n\r\n", head=True)


def cut_chunk() -> Fault:
    """The end in the middle of a chunk."""
    return _sent("cut chunk", _OK + b"Transfer-Encoding: chunked\r\n\r\n40\r\nok", head=True)


def until_close() -> Fault:
    """An answer without a length: the end of the connection ends it."""
    return _sent("until close", _OK + b"\r\nok\n", head=True, whole=True)


def http_1_0() -> Fault:
    """An old server: HTTP/1.0, and the connection ends."""
    return _sent("HTTP/1.0", b"HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nok\n", head=True, whole=True)


def bare_line_feeds() -> Fault:
    """Lines that end with LF alone, as some small servers write them."""
    return _sent("bare line feeds", b"HTTP/1.1 200 OK\nContent-Length: 3\n\nok\n", head=True, whole=True)


def switching_protocols() -> Fault:
    """Nobody asked to switch."""

    async def play(exchange: Exchange, answer: Answer) -> None:
        exchange.send(encode_head(answer))
        await asyncio.get_running_loop().create_future()

    headers = (("Connection", "Upgrade"), ("Upgrade", "websocket"))
    return Fault(name="switching protocols", change=lambda _: Answer(101, headers=headers), play=play)


def long_body() -> Fault:
    """More bytes than Content-Length announces."""

    async def play(exchange: Exchange, answer: Answer) -> None:
        exchange.send(encode(answer) + b"and there is more\r\n")
        await asyncio.get_running_loop().create_future()

    return Fault(name="long body", play=play)


def two_answers() -> Fault:
    """The usual answer with another one behind it, which is nobody's."""

    async def play(exchange: Exchange, answer: Answer) -> None:
        exchange.send(encode(answer) + encode(Answer(500)))
        await asyncio.get_running_loop().create_future()

    return Fault(name="two answers", play=play)


def timeout_afterwards(seconds: float = 0.02) -> Fault:
    """The usual answer; then, to nobody's question, 408 and the end, as some servers close idle connections."""

    async def play(exchange: Exchange, answer: Answer) -> None:
        exchange.respond(answer)
        await asyncio.sleep(seconds)
        exchange.send(encode(Answer(408), close=True))
        exchange.close()

    return Fault(name="timeout afterwards", play=play)
