"""Masks secrets in foreign text: a secret that a server echoes must not get into a log or a dead letter.

Foreign text is masked before it is cut, because half a secret is not found any more: always quote it by `excerpt`. `use` sets the
secrets of the process, when the log is configured.
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
_LEAST: Final = 6  # characters of a secret's other forms: shorter ones occur in other text by accident
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


_secrets: Final[dict[str, tuple[str, ...]]] = {}
_mask = Mask()


def use(secrets: Iterable[str], *, of: str = "settings") -> None:
    """Replace the process's secrets of that origin; those of other origins stay."""
    global _mask
    _secrets[of] = tuple(secrets)
    _mask = Mask(secret for several in _secrets.values() for secret in several)


def masked(text: str) -> str:
    return _mask(text)


def excerpt(text: str, most: int) -> str:
    """Returns foreign text with its secrets masked, and only then cut to `most` characters."""
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
    """Yields the parts that are secret too: after `Bearer` or `Basic`, login and password in it, a key without its prefix."""
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
    yield unquote(secret)  # a password in a URL


def _in_base64(secret: bytes) -> Iterator[str]:
    """Yields the base64 of a secret inside any text, as in `Basic` user:secret: the characters that the rest cannot change."""
    for before in range(3):
        start, end = (before * 8 + 5) // 6, (before + len(secret)) * 8 // 6
        coded = base64.b64encode(bytes(before) + secret).decode()[start:end]
        yield coded
        yield coded.replace("+", "-").replace("/", "_")
