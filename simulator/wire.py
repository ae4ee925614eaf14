"""What travels in one HTTP/1.1 exchange, and how an answer looks on the wire. Pure: no I/O."""

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


class Request(NamedTuple):
    """A request that arrived in full. A NamedTuple, not a dataclass: it is made once a call in benchmarks."""

    method: str
    #: Path and query exactly as sent.
    target: str
    #: By lower-case name; a header sent twice is joined by a comma.
    headers: Mapping[str, str]
    body: bytes
    #: May the connection be used again?
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
class Answer:
    """A whole answer. `Content-Length` is added unless `headers` has it or `Transfer-Encoding`."""

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
        """The first header of that name, whatever its case."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)

    def without_header(self, name: str) -> Answer:
        """The same answer without any header of that name."""
        kept = tuple(header for header in self.headers if header[0].lower() != name.lower())
        return Answer(self.status, self.body, kept)

    def with_header(self, name: str, value: str) -> Answer:
        """The same answer with this header in the place of all others of its name."""
        return Answer(self.status, self.body, (*self.without_header(name).headers, (name, value)))


def encode_head(answer: Answer, *, close: bool = False) -> bytes:
    """Status line and headers with the empty line that ends them. `close` announces that the connection ends after it."""
    lines = [f"HTTP/1.1 {answer.status} {_REASONS.get(answer.status, 'Unknown')}"]
    lines += [f"{name}: {value}" for name, value in answer.headers]
    if _has_body(answer.status) and not any(name.lower() in _OWN_LENGTH for name, _ in answer.headers):
        lines.append(f"Content-Length: {len(answer.body)}")
    if close:
        lines.append("Connection: close")
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def encode(answer: Answer, *, close: bool = False, head_only: bool = False) -> bytes:
    """The whole answer. `head_only` is for a HEAD request."""
    head = encode_head(answer, close=close)
    return head if head_only or not _has_body(answer.status) else head + answer.body


def _has_body(status: int) -> bool:
    return status >= 200 and status not in (204, 304)
