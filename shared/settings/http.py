"""The kinds of settings that are parts of a webhook call: its headers, its signing secret, and the answers that count.

A refusal never repeats a value: all of these but the answers are secrets.
"""

from __future__ import annotations

import base64
import json
import re
from collections import Counter
from typing import Final

from shared.settings.parsers import Kind, Refused

_TOKEN: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_BASE64: Final = re.compile(r"([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")
_LEAST_SECRET: Final = 24  # bytes: what Standard Webhooks asks for
_LEAST_MASKED: Final = 8  # characters: a `1` or a `prod` is no secret, and masking it would black out half of the log
# What we set ourselves, and what tells a message's end or a connection's.
_OURS: Final = {
    "authorization": "use AUTHORIZATION",
    "proxy-authorization": "put user and password into WEBHOOK_PROXY",
    **dict.fromkeys(("host", "user-agent", "content-type", "content-encoding", "content-length"), "leave it out"),
    **dict.fromkeys(("transfer-encoding", "te", "trailer", "expect", "upgrade"), "leave it out"),
    **dict.fromkeys(("connection", "keep-alive", "proxy-connection"), "leave it out"),
}


def header_value() -> Kind:
    """What may stand in an HTTP header: one line of Latin-1."""

    def read(text: str) -> str:
        problem = _value_problem(text)
        if problem:
            raise Refused(f"contains {problem[0]}", problem[1])
        return text

    return Kind("value of an HTTP header", read)


def header_object() -> Kind:
    """A JSON object of header names and values; the value is a tuple of pairs."""

    def within(text: str) -> tuple[str, ...]:
        return tuple(value for _, value in _read_headers(text) if len(value) >= _LEAST_MASKED)

    return Kind("JSON object of header names and values", _read_headers, within=within)


def signing_secret() -> Kind:
    """A key of Standard Webhooks: base64, with or without `whsec_` in front; the value is the text as it is."""

    def read(text: str) -> str:
        fix = "make one with: openssl rand -base64 32"
        if any(map(str.isspace, text)):
            raise Refused("contains a space or a line break", "remove it")
        encoded = text.removeprefix("whsec_")
        if not _BASE64.fullmatch(encoded):
            raise Refused("is not base64 (whsec_ may stand in front of it)", fix)
        if (length := len(base64.b64decode(encoded))) < _LEAST_SECRET:
            raise Refused(f"is {length} bytes long once decoded, at least {_LEAST_SECRET} are needed", fix)
        return text

    return Kind(f"at least {_LEAST_SECRET} bytes in base64, `whsec_` may stand in front", read)


def success_statuses() -> Kind:
    """Statuses that mean delivered; only 2xx can, as nothing else says that the receiver has the event."""

    def read(text: str) -> frozenset[int]:
        parts = [part for part in map(str.strip, text.lower().split(",")) if part]
        if not parts:
            raise Refused("names no status")
        wrong = ", ".join(repr(part[:20]) for part in parts if not re.fullmatch("2[0-9][0-9]|2xx", part))
        if wrong:
            raise Refused(f"{wrong} is no status from 200 to 299", "write them with commas, such as 200,202,204, or 2xx for all")
        return frozenset(code for part in parts for code in (range(200, 300) if part == "2xx" else [int(part)]))

    return Kind("statuses from 200 to 299, separated by commas; or `2xx`", read)


def _read_headers(text: str) -> tuple[tuple[str, str], ...]:
    if not text.strip():
        return ()
    try:
        pairs = json.loads(text, object_pairs_hook=_Pairs)
    except (ValueError, RecursionError):
        raise Refused("is not JSON", 'write {"Name": "value"}, in single quotes in .env') from None
    if not isinstance(pairs, _Pairs):
        raise Refused("is not a JSON object", 'write {"Name": "value"}')
    headers = tuple(_header(place, name, value) for place, (name, value) in enumerate(pairs, start=1))
    twice = [name for name, times in Counter(name.lower() for name, _ in headers).items() if times > 1]
    if twice:
        raise Refused(f"sets the header {twice[0]} twice", "remove one of them")
    return headers


class _Pairs(list[tuple[str, object]]):
    """A JSON object in its own order, repeated names included."""


def _header(place: int, name: str, value: object) -> tuple[str, str]:
    """One of them, checked. A name that is none is not repeated: it may be a secret that got into the wrong place."""
    if not _TOKEN.fullmatch(name):
        raise Refused(f"header {place} has a name that cannot be a header's", "use letters, digits and hyphens")
    if name.lower().startswith("webhook-") or name.lower() in _OURS:
        raise Refused(f"sets the header {name}, which is not yours to set", _OURS.get(name.lower(), "leave it out"))
    if not isinstance(value, str):
        raise Refused(f"the value of the header {name} is no text", "put it into double quotes")
    problem = _value_problem(value)
    if problem:
        raise Refused(f"the value of the header {name} contains {problem[0]}", problem[1])
    return name, value


def _value_problem(value: str) -> tuple[str, str] | None:
    """What a header cannot carry, and what to do about it."""
    if not value.isprintable():
        return "a line break or another character that cannot be seen", "remove it; a header is one line"
    if any(ord(character) > 255 for character in value):
        return "a character that an HTTP header cannot carry", "use Latin-1 only"
    return None
