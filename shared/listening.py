"""Why a process cannot listen at an address. Pure."""

from __future__ import annotations

import socket


def why_not(error: OSError | UnicodeError) -> str:
    """Returns the reason in words, without the address, which asyncio writes into it."""
    if isinstance(error, socket.gaierror | UnicodeError):
        return "no such address"
    return (error.strerror or str(error)).rpartition(": ")[2]
