"""File descriptors: how many this process may have open, and whether it has run out of them.

A connection that cannot be made for want of one is our own trouble, and says nothing about the far end.
"""

from __future__ import annotations

import errno
import os
import resource
import socket
import sys
from contextlib import ExitStack, suppress
from typing import Final

#: What a process has open beside its calls: standard streams, event loop, resolver, Auth0, the SQLite file (25 were counted while
#: everything was under way) or the clients of Kafka.
RESERVE: Final = 48
REMEDY: Final = "raise the limit on open files (ulimit -n, LimitNOFILE= of systemd, --ulimit nofile= of Docker)"

_SHORTAGE: Final = frozenset({errno.EMFILE, errno.ENFILE})
_FEW: Final = 4  # a library may have given some back between its failure and our look


def is_shortage(error: BaseException | None) -> bool:
    """Whether this failed for want of a descriptor; a resolver without one says only that there is no such name."""
    return isinstance(error, OSError) and (error.errno in _SHORTAGE or (isinstance(error, socket.gaierror) and are_short()))


def are_short() -> bool:
    """Whether hardly any is left, for libraries that do not say why they failed."""
    with ExitStack() as opened:
        for _ in range(_FEW):
            try:
                opened.callback(os.close, os.open(os.devnull, os.O_RDONLY))
            except OSError as error:
                return is_shortage(error)
    return False


def raised_limit(needed: int) -> int:
    """The limit of this process, raised as far as the system lets us: to the hard one, or to `needed` where there is none."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = needed if hard == resource.RLIM_INFINITY else hard
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return sys.maxsize if soft == resource.RLIM_INFINITY else soft
