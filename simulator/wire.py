"""One request and response of HTTP/1.1, and the bytes of a response. Pure: no I/O."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final, NamedTuple, Self
from urllib.parse import parse_qsl, unquote

_REASONS: Final = {status.value: status.phrase for status in HTTPStatus}
_OWN_LENGTH: Final = frozenset({"content-length", "transfer-encoding"})

Headers = tuple[tuple[str, str], ...]


class HttpRequest(NamedTuple):
    """A whole request. A NamedTuple, not a dataclass: benchmarks make one for each call."""

    method: str
    #: Path and query exactly as sent.
    target: str
    #: By lower-case name; a header sent twice is joined by a comma.
    headers: Mapping[str, str]
    body: bytes
    #: The connection may be used again.
    keep_alive: bool

    @property
    def path(self) -> str:
        """Without the query, percent-decoded."""
        path = self.target.partition("?")[0]
        return unquote(path) if "%" in path else path

    @property
    def parameters(self) -> dict[str, str]:
        """The query; of a name given twice the last."""
        return dict(parse_qsl(self.target.partition("?")[2], keep_blank_values=True))


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """A whole response. When it is sent, `Content-Length` is added unless `headers` has it or `Transfer-Encoding`."""

    status: int = 200
    body: bytes = b""
    headers: Headers = ()

    @classmethod
    def json(cls, status: int, value: object, headers: Headers = ()) -> Self:
        return cls.json_bytes(status, json.dumps(value).encode(), headers)

    @classmethod
    def json_bytes(cls, status: int, body: bytes, headers: Headers = ()) -> Self:
        """For JSON whose bytes matter."""
        return cls(status, body, (("Content-Type", "application/json; charset=utf-8"), *headers))

    def header(self, name: str) -> str | None:
        """Returns the value of the first header of that name, in any case."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)

    def without_header(self, name: str) -> HttpResponse:
        """Returns the same response without any header of that name."""
        kept = tuple(header for header in self.headers if header[0].lower() != name.lower())
        return HttpResponse(self.status, self.body, kept)

    def with_header(self, name: str, value: str) -> HttpResponse:
        """Returns the same response with this header instead of all others of its name."""
        return HttpResponse(self.status, self.body, (*self.without_header(name).headers, (name, value)))


def encode_head(response: HttpResponse, *, close: bool = False) -> bytes:
    """Returns status line, headers and the empty line after them. `close` announces that the connection ends after it."""
    lines = [f"HTTP/1.1 {response.status} {_REASONS.get(response.status, 'Unknown')}"]
    lines += [f"{name}: {value}" for name, value in response.headers]
    if _has_body(response.status) and not any(name.lower() in _OWN_LENGTH for name, _ in response.headers):
        lines.append(f"Content-Length: {len(response.body)}")
    if close:
        lines.append("Connection: close")
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def encode(response: HttpResponse, *, close: bool = False, head_only: bool = False) -> bytes:
    """Returns the whole response. `head_only` is for a HEAD request."""
    head = encode_head(response, close=close)
    return head if head_only or not _has_body(response.status) else head + response.body


def _has_body(status: int) -> bool:
    return status >= 200 and status not in (204, 304)
