"""Reads answers off one connection. The one place of the consumer that knows httptools.

Nothing here acts: after each `feed` the connection looks at what is known by now.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

import httptools

from consumer.http.retry_after import retry_after

#: Bytes of one answer, head and body and 1xx answers before it. What is longer is not worth a connection.
ANSWER_CAP: Final = 64 * 1024


class Answer:
    """One answer after the other; `expect` begins a new one.

    The status line is the verdict: once a head is complete and valid, no kind of damage to the body takes its `status` back.
    """

    __slots__ = ("_parser", "_retry_after", "_size", "over", "problem", "reusable", "status")

    #: The final status; None until the head is complete.
    status: int | None
    #: There is no more to read: the answer is complete, damaged or too long.
    over: bool
    #: It ended in order, and another may follow on this connection.
    reusable: bool
    #: What is wrong with an answer that is over without a status.
    problem: str
    _retry_after: bytes | None

    def __init__(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        # Small servers end their lines with a bare LF; RFC 9112 (2.2) lets us take it.
        self._parser.set_dangerous_leniencies(lenient_optional_cr_before_lf=True)
        self.expect()

    def expect(self) -> None:
        self.status = None
        self._retry_after = None
        self.over = self.reusable = False
        self.problem = ""
        self._size = 0

    @property
    def begun(self) -> bool:
        return self._size > 0

    @property
    def retry_after(self) -> float | None:
        """Seconds, of the header of that name."""
        return None if self._retry_after is None else retry_after(self._retry_after, datetime.now(UTC))

    def feed(self, data: bytes) -> None:
        self._size += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._end(f"no valid HTTP answer: {error}")
        if self._size > ANSWER_CAP and not self.over:
            self._end(f"no valid HTTP answer: more than {ANSWER_CAP // 1024} KiB of head")

    def _end(self, problem: str) -> None:
        self.over, self.reusable, self.problem = True, False, problem

    # What the parser says.

    def on_message_begin(self) -> None:
        if self.over:  # the parser stops here, so that nothing of a second answer is taken for the first
            raise httptools.HttpParserError("two answers to one request")

    def on_header(self, name: bytes, value: bytes) -> None:
        if len(name) == 11 and name.lower() == b"retry-after":
            self._retry_after = value

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        # 100 to 199 say that the answer is still to come; but after 101 there is no more HTTP.
        if not 100 <= status <= 199 or status == 101:
            self.status = status

    def on_message_complete(self) -> None:
        if self.status is not None and not self.over:  # the parser ends a message after a 1xx too
            self.over, self.reusable = True, self._parser.should_keep_alive()
