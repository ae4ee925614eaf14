"""The exit codes, by name."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    FINE = 0
    #: A mistake of ours: the traceback belongs into a bug report.
    INTERNAL = 1
    #: A setting or an argument is missing or wrong.
    CONFIGURATION = 2
    #: Something outside is not as it must be: Auth0, the log, the webhook.
    SURROUNDINGS = 3
    #: By Ctrl-C, before anything was done.
    INTERRUPTED = 130
