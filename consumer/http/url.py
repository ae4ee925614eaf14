"""Where a URL points: scheme, host and port."""

from __future__ import annotations

import base64
import re
from typing import Final, NamedTuple, Self
from urllib.parse import SplitResult, unquote, urlsplit

from shared.masking import excerpt, masked

_PORTS: Final = {"http": 80, "https": 443}
_USERINFO: Final = re.compile(r"^((?:[A-Za-z][A-Za-z0-9+.-]*:)?[/\\]+)?[^/\\]*@")


class Origin(NamedTuple):
    """`host` is as a resolver wants it, an IPv6 address without its brackets."""

    secure: bool
    host: str
    port: int

    @classmethod
    def of(cls, url: str) -> Self:
        """Raises `ValueError` for anything but an http or https URL with a host."""
        parts = urlsplit(url)
        if parts.scheme not in _PORTS or not parts.hostname:
            raise ValueError("an http or https URL with a host is needed")
        return cls(parts.scheme == "https", parts.hostname, parts.port or _PORTS[parts.scheme])

    @property
    def authority(self) -> str:
        """Host and port, as CONNECT names them."""
        return f"{self._bracketed}:{self.port}"

    @property
    def header(self) -> str:
        """What stands in `Host`: without the port where it is the scheme's own."""
        return self._bracketed if self.port == _PORTS[self.scheme] else self.authority

    @property
    def scheme(self) -> str:
        return "https" if self.secure else "http"

    @property
    def _bracketed(self) -> str:
        return f"[{self.host}]" if ":" in self.host else self.host


def target_of(url: str) -> str:
    """Path and query as they stand in the URL: nothing is quoted again."""
    parts: SplitResult = urlsplit(url)
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def login_of(url: str) -> str:
    """The value of `Proxy-Authorization` for the user and password in a proxy's URL; empty without them."""
    parts = urlsplit(url)
    if parts.username is None:
        return ""
    login = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return f"Basic {base64.b64encode(login.encode()).decode()}"


def shown(url: str) -> str:
    """A URL that another side chose, as it may stand in a log: without userinfo, query and fragment, however broken it is."""
    bare = _USERINFO.sub(r"\1", masked(url).partition("?")[0].partition("#")[0])
    return excerpt("".join(char if char.isprintable() else " " for char in bare), 200)
