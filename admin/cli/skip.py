"""`skip`: a blocking event goes to the dead letters."""

from __future__ import annotations

import getpass
import socket
from typing import Annotated

import typer

from admin.cli.exits import Exit


def skip(
    log_id: Annotated[str, typer.Argument(help="The event's log id; for a record without one PARTITION:OFFSET.")],
    reason: Annotated[str, typer.Option("--reason", help="Why; it stands in the dead letter.")],
    by: Annotated[str, typer.Option("--by", help="Who; your login and host if not given.")] = "",
    timeout: Annotated[float, typer.Option("--timeout", min=1, help="Seconds to wait for a consumer to do it.")] = 30.0,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Set an undelivered event aside while consumers run, so that what waits behind it goes on."""
    from admin.actions.skip import Skipped
    from admin.actions.skip import skip as ask
    from admin.cli.operate import agreed, on_log
    from shared.errors import ConfigurationError, SurroundingsError

    if not reason.strip():
        raise ConfigurationError(["--reason must say why: it is all that the next person will know"])
    if not agreed(f"Set {log_id} aside as a dead letter, undelivered?", yes=yes):
        raise typer.Exit(Exit.FINE)
    who = by or f"{getpass.getuser()}@{socket.gethostname()}"
    outcome = on_log(lambda transport: ask(transport, log_id, by=who, reason=reason, within=timeout))
    match outcome:
        case Skipped.SET_ASIDE:
            typer.echo(f"{log_id} is a dead letter now; `auth0-webhooks dead-letters show {log_id}`")
        case Skipped.DELIVERED:
            typer.echo(f"{log_id} was delivered in the meantime; nothing was set aside")
        case Skipped.BEFORE:
            raise ConfigurationError([f"{log_id} is a dead letter already"])
        case Skipped.NOT_FOUND:
            raise SurroundingsError(
                f"no consumer has {log_id} in hand, undelivered, within {timeout:g} s: it was delivered, it is not in the log, "
                "it waits beyond the window, or no consumer runs. Nothing was done"
            )


def register(app: typer.Typer) -> None:
    app.command()(skip)
