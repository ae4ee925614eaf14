"""What passes between this process and a rule process: one JSON object a frame, on a socket of its own. Pure.

A frame is four bytes of length (big-endian) and that many bytes of JSON in UTF-8. What a rule prints never comes this way. A
frame that is broken or too large is the fault of the process that sent it: `FrameBroken`, and its runner ends it.

To a rule process:
    init    {"rules": [{"name", "path", "source", "timeout"}], "configuration", "auth0": {"domain", "baseUrl", "accessToken"},
             "modules", "dryRun"}
    run     {"id", "chain": [name …], "user", "context", "timeout", "wanted"}      timeout in milliseconds; wanted: the members of
             `context` that are to come back, and the user only if it was changed; null: all of both
    return  {"call", "value"} or {"call", "error": {"message", "status"}}
    facts   {"auth0": {"domain", "baseUrl", "accessToken"}}
    ping    {}
    probe   {"url"}                           answered once: do fetch, http and require work here
From it:
    ready   {"broken": [{"name", "message", "line"}]}
    at      {"id", "rule"}                    the rule that is about to run, where only one chain is under way
    call    {"call", "id", "method", "args"}  a call of `auth0`, to be made here
    result  {"id", "outcome", "user", "context", "steps", "left"}        user and context are null where they cannot be sent,
             the user also where it is not wanted
    late    {"rule", "text"}                  an exception of a rule whose chain is over
    pong    {"heap", "buffers", "at"}         bytes in use; `at`: [id, rule] of the chains that went on since they were told of
    probed  {"problems": [line …]}
Every object has its name in the member `is`. `tests/rules/load-rule.js` adds `carry` to `init` (js/carry.js), and reads of a step
what the rule raised.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from shared.masking import excerpt

#: Bytes of one frame from a rule process: a result of at most 256 kB, twice, its console and its calls.
FRAME_CAP: Final = 4 * 1024 * 1024
_LENGTH: Final = 4
_encoded: Final = json.JSONEncoder(separators=(",", ":"), allow_nan=False, ensure_ascii=True).encode


class FrameBroken(Exception):
    """What arrived is no frame."""


def encode(message: Mapping[str, Any]) -> bytes:
    """Returns the frame. Raises `ValueError` for what JSON cannot say, and `TypeError`."""
    body = _encoded(message).encode()
    return len(body).to_bytes(_LENGTH, "big") + body


class FrameReader:
    """Cuts what a stream brings into messages. `cap` in bytes, of one frame."""

    def __init__(self, cap: int = FRAME_CAP) -> None:
        self._cap = cap
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[dict[str, Any]]:
        """Yields every message that is complete now. Raises `FrameBroken`; the reader is of no use after that."""
        self._buffer += data
        start = 0
        try:
            while (end := self._end(start)) is not None:
                body = bytes(self._buffer[start + _LENGTH : end])
                start = end
                yield _message(body)
        finally:
            del self._buffer[:start]

    def _end(self, start: int) -> int | None:
        """Returns where the frame that begins at `start` ends; None while it is not complete."""
        if len(self._buffer) - start < _LENGTH:
            return None
        size = int.from_bytes(self._buffer[start : start + _LENGTH], "big")
        if size > self._cap:
            raise FrameBroken(f"a frame of {size} bytes, more than {self._cap}")
        end = start + _LENGTH + size
        return end if end <= len(self._buffer) else None


def _message(body: bytes) -> dict[str, Any]:
    try:
        message = json.loads(body)
    except (ValueError, RecursionError):
        raise FrameBroken(f"no JSON: {excerpt(body.decode(errors='replace'), 80)}") from None
    if not isinstance(message, dict) or not isinstance(message.get("is"), str):
        raise FrameBroken(f"no message: {excerpt(body.decode(errors='replace'), 80)}")
    return message
