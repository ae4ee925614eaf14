"""The settings of our own output."""

from __future__ import annotations

from typing import Annotated, ClassVar, get_args

from shared.log import LogFormat, Verbosity
from shared.settings.kind import choice
from shared.settings.option import Group, Option, Role


class Ourselves(Group):
    """What this program writes about itself, on standard error."""

    title: ClassVar = "Ourselves"
    roles: ClassVar = frozenset(Role)

    verbosity: Annotated[
        Verbosity,
        Option(
            "VERBOSITY",
            choice(*get_args(Verbosity), hint="for which Auth0 events are delivered, see LOG_LEVEL"),
            "The least important lines that are written.",
        ),
    ] = "info"
    log_format: Annotated[
        LogFormat | None,
        Option(
            "LOG_FORMAT",
            choice(*get_args(LogFormat)),
            "Lines for a person's eyes or for a program.",
            example="json",
            unset="console on a terminal, else json",
        ),
    ] = None
