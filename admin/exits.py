"""The exit codes by name, and the exit that waits for nothing. Imports next to nothing: signals need it from the start."""

from __future__ import annotations

import os
from enum import IntEnum


class Exit(IntEnum):
    FINE = 0
    #: A bug; the traceback belongs in the report.
    INTERNAL = 1
    #: A setting or an argument is missing or wrong.
    CONFIGURATION = 2
    #: Auth0, the transport, the webhook or the machine is not as it must be.
    ENVIRONMENT = 3
    #: Ctrl-C, before anything was done.
    INTERRUPTED = 130


def at_once(number: int, _frame: object) -> None:
    """Signal handler. Not the default action: the first process of a container has none."""
    os._exit(128 + number)
