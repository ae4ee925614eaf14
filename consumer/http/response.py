"""Reads answers off one connection. The one place of the consumer that knows httptools.

Nothing here acts: after each `feed` the connection looks at what is known by now.
"""

from __future__ import annotations

import re
import time
from contextlib import suppress
from dataclasses import replace
from typing import Final

import httptools

from consumer.http.url import shown
from consumer.webhook import Attempt, Cause
from shared.retry_after import retry_after

#: Bytes of one answer, head and body and 1xx answers before it. What is longer is not worth a connection.
ANSWER_CAP: Final = 64 * 1024

_TLS_ALERT: Final = b"\x15\x03"
#: What nginx, Apache and Go say in the body of a 400 to plain HTTP on a port that speaks TLS.
_SPOKE_PLAIN: Final = re.compile(rb"plain HTTP|HTTP request to an HTTPS", re.IGNORECASE)


class Answer:
    """One answer after the other; `expect` begins a new one.

    The status line is the verdict: once a head is complete and valid, no kind of damage to the body takes its `status` back.
    """

    __slots__ = ("_head", "_parser", "_size", "over", "problem", "reusable", "status")

    #: The final status; None until the head is complete.
    status: int | None
    #: There is no more to read: the answer is complete, damaged or too long.
    over: bool
    #: It ended in order, and another may follow on this connection.
    reusable: bool
    #: What is wrong with an answer that is over without a status.
    problem: str
    #: Its bytes until the status was known. Headers are read out of them when they are wanted: a 200 does not pay for them.
    _head: list[bytes]

    def __init__(self) -> None:
        self._parser = _parser_for(self)
        self.expect()

    def expect(self) -> None:
        self.status = None
        self._head = []
        self.over = self.reusable = False
        self.problem = ""
        self._size = 0

    @property
    def begun(self) -> bool:
        return self._size > 0

    def attempt(self, without: Attempt) -> Attempt:
        """What came of the request; `without` is what came of it if there is no status. Raises nothing."""
        head = b"".join(self._head)
        if self.status is None:
            cause = Cause.WANTS_TLS if head.startswith(_TLS_ALERT) else without.cause
            return replace(without, problem=self.problem or without.problem, cause=cause)
        try:
            headers = _Headers().read(head)
            asked, location = headers.get("retry-after"), headers.get("location", "")
            wait = None if asked is None else retry_after(asked, time.time())
            spoke_plain = self.status == 400 and _SPOKE_PLAIN.search(head)
            return Attempt(
                self.status, retry_after=wait, cause=Cause.WANTS_TLS if spoke_plain else None, location=shown(location)
            )
        except Exception as error:  # noqa: BLE001  what a receiver can make us raise costs this attempt, never the process
            return Attempt(self.status, f"answered {self.status}, and reading its headers failed: {type(error).__name__}")

    def feed(self, data: bytes) -> None:
        self._size += len(data)
        if self.status is None:
            self._head.append(data)
        try:
            self._parser.feed_data(data)
        except Exception as error:  # noqa: BLE001  the parser's own, and whatever a callback of ours raises
            self._end(f"no valid HTTP answer: {error}")
        if self._size > ANSWER_CAP and not self.over:
            self._end(f"no valid HTTP answer: more than {ANSWER_CAP // 1024} KiB of head")

    def _end(self, problem: str) -> None:
        self.over, self.reusable, self.problem = True, False, problem

    # What the parser says.

    def on_message_begin(self) -> None:
        if self.over:  # the parser stops here, so that nothing of a second answer is taken for the first
            raise httptools.HttpParserError("two answers to one request")

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if _is_final(status):
            self.status = status

    def on_message_complete(self) -> None:
        if self.status is not None and not self.over:  # the parser ends a message after a 1xx too
            self.over, self.reusable = True, self._parser.should_keep_alive()


class _Headers:
    """Reads a head once more, for the headers of its final answer, by their names in small letters."""

    def __init__(self) -> None:
        self._parser = _parser_for(self)
        self._found: dict[str, str] = {}
        self._complete = False

    def read(self, head: bytes) -> dict[str, str]:
        with suppress(httptools.HttpParserError, httptools.HttpParserUpgrade):  # of what follows the head
            self._parser.feed_data(head)
        return self._found

    def on_message_begin(self) -> None:
        if not self._complete:
            self._found.clear()

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._complete:  # else a trailer
            self._found[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        self._complete = self._complete or _is_final(self._parser.get_status_code())


def _parser_for(protocol: object) -> httptools.HttpResponseParser:
    parser = httptools.HttpResponseParser(protocol)
    # Small servers end their lines with a bare LF; RFC 9112 (2.2) lets us take it.
    parser.set_dangerous_leniencies(lenient_optional_cr_before_lf=True)
    return parser


def _is_final(status: int) -> bool:
    """100 to 199 say that the answer is still to come; but after 101 there is no more HTTP."""
    return not 100 <= status <= 199 or status == 101
