"""The exit codes, by name, and the exit that waits for nothing. Imports next to nothing: it is there before the rest."""

from __future__ import annotations

import os
from enum import IntEnum


class Exit(IntEnum):
    FINE = 0
    #: A mistake of ours: the traceback belongs into a bug report.
    INTERNAL = 1
    #: A setting or an argument is missing or wrong.
    CONFIGURATION = 2
    #: Something outside is not as it must be: Auth0, the log, the webhook.
    ENVIRONMENT = 3
    #: By Ctrl-C, before anything was done.
    INTERRUPTED = 130


def at_once(number: int, _frame: object) -> None:
    """A signal's handler. Not the default action: the first process of a container has none."""
    os._exit(128 + number)
