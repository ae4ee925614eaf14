"""What a failed TLS handshake says about the other side. Pure."""

from __future__ import annotations

import ssl
from typing import Final

#: OpenSSL's reasons for a response that is not TLS.
_NO_TLS: Final = frozenset(
    {"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "HTTPS_PROXY_REQUEST", "UNKNOWN_PROTOCOL", "RECORD_LAYER_FAILURE"}
)


def speaks_something_else(error: ssl.SSLError) -> bool:
    """Whether the other side responded, but not in TLS."""
    return error.reason in _NO_TLS
