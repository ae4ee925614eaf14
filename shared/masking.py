"""Secrets, and foreign text in which they may stand: what a server echoes of them must not get into a log or a dead letter.

Foreign text is masked before it is cut: half a secret is not found any more. So there is one way to quote it, `excerpt`. The
secrets of a process are told by `use`, together with the log's configuration.
"""

from __future__ import annotations

import base64
import binascii
import html
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final
from urllib.parse import quote, quote_plus, unquote

MASK: Final = "***"
_LEAST: Final = 6  # characters of a secret's other form: shorter ones stand in every other line by accident
_ESCAPE: Final = re.compile(r"%[0-9A-F]{2}")


class Mask:
    """Replaces secrets by `MASK`, the longest first, also where they are URL-encoded, JSON-escaped, in HTML or inside base64."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        forms = {form for secret in secrets if secret for form in (secret, *_other_forms(secret))}
        self._forms: Sequence[str] = sorted(forms, key=len, reverse=True)

    def __call__(self, text: str) -> str:
        for form in self._forms:
            text = text.replace(form, MASK)
        return text


_told: Final[dict[str, tuple[str, ...]]] = {}
_mask = Mask()


def use(secrets: Iterable[str], *, of: str = "settings") -> None:
    """From now on these are the process's secrets of that origin, beside those of others."""
    global _mask
    _told[of] = tuple(secrets)
    _mask = Mask(secret for several in _told.values() for secret in several)


def masked(text: str) -> str:
    return _mask(text)


def excerpt(text: str, most: int) -> str:
    """Foreign text as it may be shown: secrets masked, and only then cut to `most` characters."""
    text = masked(text)
    return text if len(text) <= most else f"{text[:most]}…"


def _other_forms(secret: str) -> Iterator[str]:
    for plain in (secret, *_parts(secret)):
        in_url = quote(plain, safe="")
        json_form = json.dumps(plain)[1:-1]
        yield from (
            form
            for form in (
                plain,
                in_url,
                _ESCAPE.sub(lambda match: match[0].lower(), in_url),
                quote_plus(plain),
                json_form,
                json_form.replace("/", "\\/"),
                json.dumps(plain, ensure_ascii=False)[1:-1],
                html.escape(plain),
                *_in_base64(plain.encode()),
            )
            if len(form) >= _LEAST
        )


def _parts(secret: str) -> Iterator[str]:
    """What is secret by itself too: what stands behind `Bearer` or `Basic`, login and password in it, a key without prefix."""
    scheme, _, credentials = secret.partition(" ")
    if credentials:
        yield credentials
    if scheme.lower() == "basic":
        try:
            login = base64.b64decode(credentials, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            return
        yield login
        yield login.partition(":")[2]
    yield secret.removeprefix("whsec_")
    yield unquote(secret)  # of a password in a URL


def _in_base64(secret: bytes) -> Iterator[str]:
    """What of the base64 of any text does not change with what stands around this secret, as in `Basic` user:secret."""
    for before in range(3):
        start, end = (before * 8 + 5) // 6, (before + len(secret)) * 8 // 6
        coded = base64.b64encode(bytes(before) + secret).decode()[start:end]
        yield coded
        yield coded.replace("+", "-").replace("/", "_")
