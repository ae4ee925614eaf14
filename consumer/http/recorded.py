"""A response whose headers and body are kept, for a person to look at. Deliveries parse neither."""

from __future__ import annotations

from typing import Final

from consumer.http.response import Response

#: Bytes of a body that are kept.
_MAX_BODY: Final = 64 * 1024


class RecordedResponse(Response):
    """`headers` and `body` are those of the final response, as far as they were received."""

    __slots__ = ("body", "headers", "whole")

    headers: list[tuple[str, str]]
    body: bytes
    #: All of the body was received and kept.
    whole: bool

    def reset(self) -> None:
        super().reset()
        self.headers, self.body, self.whole = [], b"", False

    # Called by the parser.

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.headers = []  # those of a 1xx response

    def on_header(self, name: bytes, value: bytes) -> None:
        if self.status is None:  # else a trailer
            self.headers.append((name.decode("latin-1"), value.decode("latin-1")))

    def on_body(self, data: bytes) -> None:
        self.body = (self.body + data)[:_MAX_BODY]

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self.whole = self.status is not None and len(self.body) < _MAX_BODY
