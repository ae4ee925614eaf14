"""The request: everything that does not change is written once, a call is filled in by one `%`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from consumer.webhook import Call

#: Log id and body → whole header lines, each with its line end; see `consumer.signing`.
Sign = Callable[[bytes, bytes], bytes]

#: These have one meaning on a connection of ours, or are written for each call.
_RESERVED: Final = frozenset(
    {"host", "connection", "content-length", "transfer-encoding", "expect", "upgrade", "trailer"}
    | {"webhook-id", "webhook-attempt", "webhook-timestamp", "webhook-signature"}
)
_PER_CALL: Final = b"webhook-id: %b\r\nwebhook-attempt: %d\r\n%bContent-Length: %d\r\n\r\n%b"


class RequestTemplate:
    """`target` follows POST. Raises `ValueError` for a reserved header, or one that is not one line of Latin-1."""

    def __init__(self, *, target: str, host: str, headers: Mapping[str, str], sign: Sign | None) -> None:
        for name in headers:
            if name.lower() in _RESERVED:
                raise ValueError(f"the header {name} is not free to choose")
        lines = [f"POST {target} HTTP/1.1\r\n", _line("Host", host), *(_line(*header) for header in headers.items())]
        if not any(name.lower() == "accept" for name in headers):
            lines.append(_line("Accept", "*/*"))  # some firewalls treat a request without it as an attack
        head = "".join(lines)
        self._template = head.encode("latin-1").replace(b"%", b"%%") + _PER_CALL
        self._sign = sign or _unsigned

    def fill(self, call: Call) -> bytes:
        """Returns the whole request. Raises `ValueError` for a log id that is not valid in a header.

        Every writer to the topic chooses log ids: a line break in one would be a request of the writer's own.
        """
        log_id, body = call.log_id, call.body
        if not log_id.isprintable():
            raise ValueError("a control character")
        name = log_id.encode("ascii")
        return self._template % (name, call.attempt, self._sign(name, body), len(body), body)


def _line(name: str, value: str) -> str:
    if not (name + value).isprintable():
        raise ValueError(f"the header {name!r} contains a control character")
    return f"{name}: {value}\r\n"


def _unsigned(_log_id: bytes, _body: bytes) -> bytes:
    return b""
