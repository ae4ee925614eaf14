"""Entries that are valid JSON, and that a careless reader breaks, changes or loses: one function for each."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import accumulate
from random import Random
from typing import Final

EdgeCase = Callable[[dict[str, object], Random], bytes]

_compact: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_NEVER_NULL: Final = frozenset({"date", "type", "log_id", "_id"})


def without_user(entry: dict[str, object], random: Random) -> bytes:
    """`user_id` is empty, null or missing."""
    forms: tuple[dict[str, object], ...] = ({"user_id": ""}, {"user_id": None}, {})
    user = random.choice(forms)
    return _bytes({key: value for key, value in entry.items() if key != "user_id"} | user)


def emoji(entry: dict[str, object], _random: Random) -> bytes:
    """Beyond the basic plane, joined and with skin tones."""
    return _bytes(entry | {"user_name": "👩🏽‍🚀 Zoë 🇧🇷", "description": "signed in 🎉"})


def half_emoji(entry: dict[str, object], _random: Random) -> bytes:
    """A lone surrogate, as text cut at a fixed length has it; strict decoders reject it."""
    return _escaped(entry | {"description": "cut here \ud83d", "user_name": "\ude42 and here"})


def quotes(entry: dict[str, object], _random: Random) -> bytes:
    """Everything that ends a string somewhere: JSON, HTML, SQL, shell, a log line."""
    return _bytes(entry | {"description": '"q" \\ \' ` <b>x</b> ${x} \r\n\t\x00\x1b[31m]},{ \u2028'})


def bidi(entry: dict[str, object], _random: Random) -> bytes:
    """Text that changes direction on a terminal."""
    return _bytes(entry | {"user_name": "\u202egnp.exe\u202c דוד محمد", "client_name": "\u2066a\u2069\u200b"})


def unknown_type(entry: dict[str, object], random: Random) -> bytes:
    """A code that no table has yet."""
    return _bytes(entry | {"type": random.choice(("zz_future_type", "quantum_login_succeeded"))})


def big_numbers(entry: dict[str, object], _random: Random) -> bytes:
    """Numbers that a float, or 64 bits, cannot hold."""
    numbers = '{"exact":9007199254740993,"long":123456789012345678901234567890,"huge":1e400,"zero":-0.0,"padded":1.500}'
    return _with_member(entry, f'"quota":{numbers}')


def duplicate_keys(entry: dict[str, object], _random: Random) -> bytes:
    """The reader decides which of the two counts; both must be kept."""
    return _with_member(entry, '"description":"again","description":"and again"')


def odd_layout(entry: dict[str, object], _random: Random) -> bytes:
    """Keys in another order, with all sorts of white space between them."""
    text = json.dumps(dict(reversed(entry.items())), ensure_ascii=False, indent="\t", separators=(" ,", " : "))
    return text.replace("\n", "\r\n").encode()


def escaped(entry: dict[str, object], _random: Random) -> bytes:
    """Escapes where none are needed, in a key as well."""
    return _escaped(entry).replace(b"/", b"\\/").replace(b'"user_id"', b'"user\\u005fid"')


def old_id(entry: dict[str, object], _random: Random) -> bytes:
    """An entry from before `log_id` existed: only `_id`, and the date wrapped."""
    older = {key: value for key, value in entry.items() if key != "log_id"}
    return _bytes(older | {"date": {"$date": entry["date"]}})


def nulls(entry: dict[str, object], _random: Random) -> bytes:
    """Every field that can be null is."""
    return _bytes({key: value if key in _NEVER_NULL else None for key, value in entry.items()})


def bare(entry: dict[str, object], _random: Random) -> bytes:
    """Nothing but the fields that are always there."""
    return _bytes({key: entry[key] for key in ("_id", "log_id", "type", "date")})


def odd_shapes(entry: dict[str, object], _random: Random) -> bytes:
    """Lists where objects are usual, empty things, a field from the future."""
    odd = {"auth0_client": [], "scope": ["a", "b"], "details": {}, "security_context": {}, "agent_id": {"v": 2}}
    return _bytes(entry | odd)


def large(entry: dict[str, object], random: Random) -> bytes:
    """200 kB of `details`."""
    row = {"path": "/u/login", "state": f"{random.getrandbits(256):064x}", "name": "Jürgen", "note": "x" * 80}
    return _bytes(entry | {"details": {"request": {"history": [row] * 1000}}})


_WEIGHTED: Final[dict[EdgeCase, int]] = {
    without_user: 10,
    emoji: 10,
    half_emoji: 10,
    quotes: 10,
    bidi: 10,
    unknown_type: 10,
    big_numbers: 10,
    duplicate_keys: 10,
    odd_layout: 10,
    escaped: 10,
    old_id: 10,
    nulls: 10,
    bare: 10,
    odd_shapes: 10,
    large: 1,
}
EDGE_CASES: Final = tuple(_WEIGHTED)
EDGE_CASE_WEIGHTS: Final = tuple(accumulate(_WEIGHTED.values()))


def _bytes(entry: dict[str, object]) -> bytes:
    return _compact(entry).encode()


def _escaped(entry: dict[str, object]) -> bytes:
    return json.dumps(entry).encode()


def _with_member(entry: dict[str, object], member: str) -> bytes:
    return f"{_compact(entry)[:-1]},{member}}}".encode()
