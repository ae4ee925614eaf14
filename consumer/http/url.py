"""The URL of the webhook or of a proxy, in the parts that a connection and a request need."""

from __future__ import annotations

import base64
import re
from typing import Final, NamedTuple, Self
from urllib.parse import SplitResult, unquote, urlsplit

from shared.masking import excerpt, masked

_PORTS: Final = {"http": 80, "https": 443}
_USERINFO: Final = re.compile(r"^((?:[A-Za-z][A-Za-z0-9+.-]*:)?[/\\]+)?[^/\\]*@")


class Url(NamedTuple):
    secure: bool
    #: As a resolver expects it: an IPv6 address without its brackets.
    host: str
    port: int
    #: Path and query as they stand in the URL: nothing is quoted again.
    target: str
    #: User and password as the value of an authorization header; empty without them.
    basic_login: str

    @classmethod
    def of(cls, url: str) -> Self:
        """Raises `ValueError` for anything but an http or https URL with a host."""
        parts = urlsplit(url)
        if parts.scheme not in _PORTS or not parts.hostname:
            raise ValueError("an http or https URL with a host is needed")
        return cls(
            secure=parts.scheme == "https",
            host=parts.hostname,
            port=parts.port or _PORTS[parts.scheme],
            target=(parts.path or "/") + (f"?{parts.query}" if parts.query else ""),
            basic_login=_basic_login(parts),
        )

    @property
    def authority(self) -> str:
        """Host and port, as CONNECT names them."""
        return f"{self._bracketed_host}:{self.port}"

    @property
    def host_header(self) -> str:
        """The value of `Host`: without the port where it is the default of the scheme."""
        return self._bracketed_host if self.port == _PORTS["https" if self.secure else "http"] else self.authority

    @property
    def _bracketed_host(self) -> str:
        return f"[{self.host}]" if ":" in self.host else self.host


def _basic_login(parts: SplitResult) -> str:
    if parts.username is None:
        return ""
    login = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return f"Basic {base64.b64encode(login.encode()).decode()}"


def loggable(url: str) -> str:
    """Returns a URL that another side chose in a form fit for a log: no userinfo, query or fragment, however broken it is."""
    bare = _USERINFO.sub(r"\1", masked(url).partition("?")[0].partition("#")[0])
    return excerpt("".join(char if char.isprintable() else " " for char in bare), 200)
