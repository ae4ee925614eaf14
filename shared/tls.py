"""What a failed TLS handshake tells. Pure."""

from __future__ import annotations

import ssl
from typing import Final

#: What OpenSSL makes of an answer that is no TLS at all.
_NO_TLS: Final = frozenset(
    {"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "HTTPS_PROXY_REQUEST", "UNKNOWN_PROTOCOL", "RECORD_LAYER_FAILURE"}
)


def speaks_something_else(error: ssl.SSLError) -> bool:
    """Whether the other side answered, and not in TLS."""
    return error.reason in _NO_TLS
