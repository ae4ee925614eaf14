"""Failures of a connection, in a few words that an operator can act on. No payload, no header, no credential is ever quoted.

NoConnection        there is no connection to send the request on
└── NoDescriptor    because no file descriptor is left
"""

from __future__ import annotations

import os
import socket
import ssl

from consumer.webhook import Cause, Failure
from shared.descriptors import is_shortage
from shared.tls import speaks_something_else


class NoConnection(Exception):
    """There is no connection to send a request on; the text says why, and `cause` where to look."""

    def __init__(self, text: str, cause: Cause | None = None, failure: Failure = Failure.CONNECT) -> None:
        super().__init__(text)
        self.cause = cause
        self.failure = failure


class NoDescriptor(NoConnection):
    """This process, or the system, has no file descriptor left for a connection."""


def no_connection(error: OSError | ValueError) -> NoConnection:
    """Returns the failure to raise for an error that occurred while a connection was opened."""
    match error:
        case ssl.SSLCertVerificationError():
            return NoConnection(f"its certificate is not accepted: {error.verify_message}", Cause.CERTIFICATE, Failure.TLS)
        case ssl.SSLError():
            cause = Cause.NO_TLS if speaks_something_else(error) else None
            return NoConnection(f"no TLS connection: {_tls_words(error)}", cause, Failure.TLS)
        case OSError() if is_shortage(error):
            return NoDescriptor("no file descriptor is left for a connection")
        case socket.gaierror():
            return NoConnection(f"no address for its name: {error.strerror}", Cause.NO_ADDRESS)
        case ValueError():  # after the errors above, one of which is a ValueError too
            return NoConnection("no address for its name: it is no host name", Cause.NO_ADDRESS)
        case ConnectionError() if not error.errno:  # raised by asyncio in the middle of a handshake
            return NoConnection("no connection: it was closed during the TLS handshake", failure=Failure.TLS)
        case ConnectionRefusedError():
            return NoConnection(f"no connection: {_system_words(error)}", Cause.NOT_LISTENING)
        case _:
            return NoConnection(f"no connection: {_system_words(error)}")


def connection_lost(error: Exception | None, *, started: bool) -> str:
    """Returns why a connection ended while a response was due. `started`: some of the response had arrived."""
    match error:
        case None:
            return "the connection was closed " + ("within the head of the response" if started else "before a response")
        case ssl.SSLError():
            return f"the connection broke: {_tls_words(error)}"
        case OSError():
            return f"the connection broke: {_system_words(error)}"
        case _:
            return f"the connection broke: {type(error).__name__}"


def _system_words(error: OSError) -> str:
    # Not strerror: asyncio writes the address into it, uvloop does not.
    return os.strerror(error.errno) if error.errno else type(error).__name__


def _tls_words(error: ssl.SSLError) -> str:
    return (error.reason or type(error).__name__).lower().replace("_", " ")
