"""How one value is hidden. Pure."""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable
from ipaddress import ip_address
from typing import Final

_WORD: Final = re.compile(r"\S+")
_PHONE: Final = re.compile(r"\+?[0-9 ()./-]+")
_LEAST_DIGITS: Final = 6

Hide = Callable[[str], str]


def hashing(key: bytes) -> Hide:
    """Returns a function to HMAC-SHA-256 of the value alone, in hexadecimal: the same person stays the same under every key."""
    return lambda value: hmac.digest(key, value.encode("utf-8", "surrogatepass"), "sha256").hex()


def mask(value: str) -> str:
    """Returns the shape of the value: `j***@e***.com`, `35.*.*.*`, `+***89`, `J*** D***`."""
    local, at, domain = value.rpartition("@")
    if at and domain:
        name, dot, end = domain.rpartition(".")
        return f"{_short(local)}@{_short(name)}.{end}" if dot else f"{_short(local)}@{_short(domain)}"
    if _is_ip(value):
        return f"{value.partition('.')[0]}.*.*.*" if "." in value else f"{value.partition(':')[0]}:***"
    if _PHONE.fullmatch(value) and sum(map(str.isdigit, value)) >= _LEAST_DIGITS:
        return f"{'+' * value.startswith('+')}***{value[-2:]}"
    return _WORD.sub(lambda word: _short(word[0]), value)


def _short(word: str) -> str:
    """One letter alone would be the whole word."""
    return f"{word[0]}***" if len(word) > 1 else "***"


def _is_ip(value: str) -> bool:
    try:
        return bool(ip_address(value))
    except ValueError:
        return False
