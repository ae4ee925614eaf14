"""Parses the responses on one connection. The only file of the consumer that imports httptools.

Nothing here acts: after each `feed` the connection looks at what is known so far.
"""

from __future__ import annotations

import re
import time
from contextlib import suppress
from dataclasses import replace
from typing import Final

import httptools

from consumer.http.url import loggable
from consumer.webhook import Attempt, Cause
from shared.retry_after import retry_after

#: Bytes of one response, with its head, its body and the 1xx responses before it. A longer one costs its connection.
_MAX_SIZE: Final = 64 * 1024

_TLS_ALERT: Final = b"\x15\x03"
#: In the body of a 400 of nginx, Apache and Go to plain HTTP on a port that speaks TLS.
_SPOKE_PLAIN: Final = re.compile(rb"plain HTTP|HTTP request to an HTTPS", re.IGNORECASE)


class Response:
    """One response after the other; `reset` prepares for the next one.

    The status line decides: once a head is complete and valid, no damage to the body changes its `status`.
    """

    __slots__ = ("_head", "_parser", "_size", "done", "problem", "reusable", "status")

    #: The final status; None until the head is complete.
    status: int | None
    #: There is no more to read: the response is complete, damaged or too long.
    done: bool
    #: The response ended in order, and another may follow on this connection.
    reusable: bool
    #: What is wrong with a response that is done without a status.
    problem: str
    #: Its bytes until the status was known. Headers are parsed from them on demand: a 200 does not pay for them.
    _head: list[bytes]

    def __init__(self) -> None:
        self._parser = _parser_for(self)
        self.reset()

    def reset(self) -> None:
        self.status = None
        self._head = []
        self.done = self.reusable = False
        self.problem = ""
        self._size = 0

    @property
    def started(self) -> bool:
        return self._size > 0

    def attempt(self, fallback: Attempt) -> Attempt:
        """Returns the result of the request; `fallback` is its result if there is no status. Raises nothing."""
        head = b"".join(self._head)
        if self.status is None:
            cause = Cause.WANTS_TLS if head.startswith(_TLS_ALERT) else fallback.cause
            return replace(fallback, problem=self.problem or fallback.problem, cause=cause)
        try:
            headers = _Headers().read(head)
            asked, location = headers.get("retry-after"), headers.get("location", "")
            wait = None if asked is None else retry_after(asked, time.time())
            spoke_plain = self.status == 400 and _SPOKE_PLAIN.search(head)
            return Attempt(
                self.status, retry_after=wait, cause=Cause.WANTS_TLS if spoke_plain else None, location=loggable(location)
            )
        except Exception as error:  # noqa: BLE001  an error that a receiver can cause costs this attempt, never the process
            return Attempt(self.status, f"answered {self.status}, and reading its headers failed: {type(error).__name__}")

    def feed(self, data: bytes) -> None:
        self._size += len(data)
        if self.status is None:
            self._head.append(data)
        try:
            self._parser.feed_data(data)
        except Exception as error:  # noqa: BLE001  errors of the parser and of our callbacks
            self._end(f"no valid HTTP response: {error}")
        if self._size > _MAX_SIZE and not self.done:
            self._end(f"no valid HTTP response: more than {_MAX_SIZE // 1024} KiB of head")

    def _end(self, problem: str) -> None:
        self.done, self.reusable, self.problem = True, False, problem

    # Called by the parser.

    def on_message_begin(self) -> None:
        if self.done:  # this stops the parser: no part of a second response may count as the first
            raise httptools.HttpParserError("two responses to one request")

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if _is_final(status):
            self.status = status

    def on_message_complete(self) -> None:
        if self.status is not None and not self.done:  # the parser ends a message after a 1xx too
            self.done, self.reusable = True, self._parser.should_keep_alive()


class _Headers:
    """Parses a head again for the headers of its final response; their names become lower case."""

    def __init__(self) -> None:
        self._parser = _parser_for(self)
        self._found: dict[str, str] = {}
        self._complete = False

    def read(self, head: bytes) -> dict[str, str]:
        with suppress(httptools.HttpParserError, httptools.HttpParserUpgrade):  # caused by what follows the head
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
    """Whether no other response follows: it does after 100 to 199, except 101, which ends HTTP on the connection."""
    return not 100 <= status <= 199 or status == 101
