"""Parsers of what belongs to a webhook call: its headers, its signing secret, and the statuses that mean delivered.

An error never repeats a value: all of these but the statuses are secrets.
"""

from __future__ import annotations

import base64
import json
import re
from collections import Counter
from typing import Final

from shared.parsers import InvalidValue, Parser, parser

_TOKEN: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_BASE64: Final = re.compile(r"([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")
_LEAST_SECRET: Final = 24  # bytes: what Standard Webhooks asks for
_LEAST_MASKED: Final = 8  # characters: a `1` or a `prod` is no secret, and masking it would black out half of the log
_LEAVE_OUT: Final = """
    host user-agent content-type content-encoding content-length transfer-encoding te trailer expect upgrade
    connection keep-alive proxy-connection
"""
# What we set ourselves, and what tells a message's end or a connection's.
_OURS: Final = {
    "authorization": "use AUTHORIZATION",
    "proxy-authorization": "put user and password into WEBHOOK_PROXY",
    **dict.fromkeys(_LEAVE_OUT.split(), "leave it out"),
}


@parser("value of an HTTP header")
def header_value(text: str) -> str:
    return _header_text(text, "contains")


@parser(f"at least {_LEAST_SECRET} bytes in base64, `whsec_` may stand in front")
def signing_secret(text: str) -> str:
    """A key of Standard Webhooks; the value is the text as it is."""
    fix = "make one with: openssl rand -base64 32"
    if any(map(str.isspace, text)):
        raise InvalidValue("contains a space or a line break", "remove it")
    encoded = text.removeprefix("whsec_")
    if not _BASE64.fullmatch(encoded):
        raise InvalidValue("is not base64 (whsec_ may stand in front of it)", fix)
    if (length := len(base64.b64decode(encoded))) < _LEAST_SECRET:
        raise InvalidValue(f"is {length} bytes long once decoded, at least {_LEAST_SECRET} are needed", fix)
    return text


@parser("statuses from 200 to 299, separated by commas; or `2xx`")
def success_statuses(text: str) -> frozenset[int]:
    """Only 2xx can mean delivered, as nothing else says that the receiver has the event."""
    parts = [part for part in map(str.strip, text.lower().split(",")) if part]
    if not parts:
        raise InvalidValue("names no status")
    if wrong := ", ".join(repr(part[:20]) for part in parts if not re.fullmatch("2[0-9][0-9]|2xx", part)):
        fix = "write them with commas, such as 200,202,204, or 2xx for all"
        raise InvalidValue(f"{wrong} is no status from 200 to 299", fix)
    return frozenset(code for part in parts for code in (range(200, 300) if part == "2xx" else [int(part)]))


class _Pairs(list[tuple[str, object]]):
    """A JSON object in its own order, repeated names included."""


def _read_headers(text: str) -> tuple[tuple[str, str], ...]:
    if not text.strip():
        return ()
    try:
        pairs = json.loads(text, object_pairs_hook=_Pairs)
    except (ValueError, RecursionError):
        raise InvalidValue("is not JSON", 'write {"Name": "value"}, in single quotes in .env') from None
    if not isinstance(pairs, _Pairs):
        raise InvalidValue("is not a JSON object", 'write {"Name": "value"}')
    headers = tuple(_header(place, name, value) for place, (name, value) in enumerate(pairs, start=1))
    for name, times in Counter(name.lower() for name, _ in headers).items():
        if times > 1:
            raise InvalidValue(f"sets the header {name} twice", "remove one of them")
    return headers


def _secrets_within(text: str) -> tuple[str, ...]:
    return tuple(value for _, value in _read_headers(text) if len(value) >= _LEAST_MASKED)


header_object: Final = Parser("JSON object of header names and values", _read_headers, within=_secrets_within)


def _header(place: int, name: str, value: object) -> tuple[str, str]:
    """One of them, checked. A name that is none is not repeated: it may be a secret that got into the wrong place."""
    if not _TOKEN.fullmatch(name):
        raise InvalidValue(f"header {place} has a name that cannot be a header's", "use letters, digits and hyphens")
    if name.lower().startswith("webhook-") or name.lower() in _OURS:
        raise InvalidValue(f"sets the header {name}, which is not yours to set", _OURS.get(name.lower(), "leave it out"))
    if not isinstance(value, str):
        raise InvalidValue(f"the value of the header {name} is no text", "put it into double quotes")
    return name, _header_text(value, f"the value of the header {name} contains")


def _header_text(value: str, begin: str) -> str:
    """What a header can carry: one line of Latin-1. The error begins with `begin`."""
    if not value.isprintable():
        fix = "remove it; a header is one line"
        raise InvalidValue(f"{begin} a line break or another character that cannot be seen", fix)
    if any(ord(character) > 255 for character in value):
        raise InvalidValue(f"{begin} a character that an HTTP header cannot carry", "use Latin-1 only")
    return value
