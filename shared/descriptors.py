"""File descriptors: how many this process may have open, and whether it has run out of them.

A connection that fails because none is left is an error of this process, and says nothing about the other side.
"""

from __future__ import annotations

import errno
import os
import resource
import socket
import sys
from contextlib import ExitStack, suppress
from typing import Final

#: What a process has open besides its calls: standard streams, event loop, resolver, Auth0, the SQLite file (25 were counted
#: under full load) or the Kafka clients.
RESERVE: Final = 48
REMEDY: Final = "raise the limit on open files (ulimit -n, LimitNOFILE= of systemd, --ulimit nofile= of Docker)"

_SHORTAGE: Final = frozenset({errno.EMFILE, errno.ENFILE})
_FEW: Final = 4  # a library may have closed some between its failure and our check


def is_shortage(error: BaseException | None) -> bool:
    """Whether this failed because no descriptor was left; a resolver then only reports that the name is unknown."""
    return isinstance(error, OSError) and (error.errno in _SHORTAGE or (isinstance(error, socket.gaierror) and are_short()))


def are_short() -> bool:
    """Whether hardly any descriptor is left, for libraries that do not report why they failed."""
    with ExitStack() as opened:
        for _ in range(_FEW):
            try:
                opened.callback(os.close, os.open(os.devnull, os.O_RDONLY))
            except OSError as error:
                return is_shortage(error)
    return False


def raised_limit(needed: int) -> int:
    """Raise the limit of this process to the hard limit, or to `needed` if there is no hard limit. Returns the limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = needed if hard == resource.RLIM_INFINITY else hard
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return sys.maxsize if soft == resource.RLIM_INFINITY else soft
