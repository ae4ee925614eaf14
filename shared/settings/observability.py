"""The settings of our own output."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar, get_args

from shared.logging import LogFormat, Verbosity
from shared.settings.option import Group, Option, Role
from shared.settings.parsers import choice, file_to_be


class ObservabilitySettings(Group):
    """What this program tells about itself: lines on standard error, and a sign of life."""

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
    health_file: Annotated[
        Path | None,
        Option(
            "HEALTH_FILE",
            file_to_be(),
            "A file that is touched every few seconds while all loops make progress, for a container's health check.",
            example="/tmp/auth0-webhooks.alive",  # noqa: S108  an example
            unset="none",
        ),
    ] = None
