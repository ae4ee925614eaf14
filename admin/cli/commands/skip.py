"""`skip`: a blocking event goes to the dead letters."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer

from admin.cli.interruption import interruptible
from admin.cli.options import LOG_ID, argument, duration, option, words
from admin.cli.output import say
from admin.exits import Exit
from shared.text import visible

if TYPE_CHECKING:
    from admin.actions.skip import SkipReport
    from shared.transport.port import Transport


def skip(
    log_id: Annotated[str, argument(LOG_ID, "The event's log id, or the beginning of it; or PARTITION:OFFSET.")],
    reason: Annotated[str, option("--reason", words("WORDS"), "Why; stored in the dead letter.")],
    by: Annotated[str, option("--by", words("NAME"), "Who; your login and host if not given.")] = "",
    # Consumers look every two seconds.
    timeout: Annotated[
        float, option("--timeout", duration(least=5), "How long to wait for a consumer; then the request is withdrawn.")
    ] = 30,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Set aside an event that blocks the ones behind it.

    It becomes a dead letter, undelivered, while consumers run; `auth0-webhooks dead-letters retry` sends it again.

    Examples:
      auth0-webhooks skip 90020261129183000000 --reason "answers 400, see ticket 12"
    """
    from admin.actions.audit import noted
    from admin.actions.looking.undelivered import whole_id
    from admin.actions.skip import skip as ask
    from admin.cli.confirm import confirm
    from admin.cli.context import operator, with_transport
    from shared.errors import ConfigurationError

    if not reason.strip():
        raise ConfigurationError(["--reason must say why: it is all that the next person will know"])
    who = operator(by)

    async def work(transport: Transport) -> tuple[str, SkipReport, int]:
        whole = await whole_id(transport, log_id)
        if not confirm(f"Set {whole} aside as a dead letter, undelivered?", yes=yes):
            raise typer.Exit(Exit.FINE)
        with interruptible("withdrawing the request; a second signal ends at once, and leaves it to expire") as stop:
            async with noted(transport, by=who, what=f"skip {whole}", why=reason) as audit:
                skipped = await ask(transport, whole, by=who, reason=reason, within=timeout, stop=stop)
                audit.result = skipped.outcome.name.lower().replace("_", " ")
            return whole, skipped, 128 + stop.number if stop.number else 0

    whole, skipped, interrupted = with_transport(work)
    _report(whole, skipped, timeout, interrupted)


def _report(log_id: str, skipped: SkipReport, timeout: float, interrupted: int) -> None:
    from admin.actions.skip import SkipOutcome
    from shared.errors import ConfigurationError, EnvironmentUnusable

    line = visible(_line(log_id, skipped, "until then" if interrupted else f"within {timeout:g} s"))
    if interrupted:
        say(f"interrupted: {line}", to_person=True)
        raise typer.Exit(interrupted)
    match skipped.outcome:
        case SkipOutcome.SET_ASIDE | SkipOutcome.DELIVERED:
            say(line)
        case SkipOutcome.BEFORE:
            raise ConfigurationError([line])
        case _:
            raise EnvironmentUnusable(line)


def _line(log_id: str, skipped: SkipReport, within: str) -> str:
    from admin.actions.skip import SkipOutcome

    consumers = " and ".join(skipped.consumers) or "no consumer"
    look = f"see `auth0-webhooks dead-letters show {log_id}`"
    match skipped.outcome:
        case SkipOutcome.SET_ASIDE:
            return f"{log_id} is a dead letter now; {look}"
        case SkipOutcome.BEFORE:
            return f"{log_id} is a dead letter already, and no consumer has taken it"
        case SkipOutcome.DELIVERED:
            return f"{log_id} was delivered in the meantime; nothing was set aside"
        case SkipOutcome.WITHDRAWN:
            return (
                f"{consumers} had taken {log_id}, but its call or one before it did not end {within}. "
                "The request is withdrawn and nothing was done; ask again with a longer --timeout"
            )
        case SkipOutcome.NOT_FOUND:
            return (
                f"no consumer has taken {log_id} and not delivered it, {within}: it was delivered, it is not in the log, "
                "it waits beyond the window, or no consumer runs or has looked yet. The request is withdrawn. Nothing was done"
            )
        case SkipOutcome.UNKNOWN:
            return (
                f"it is not known whether {log_id} is set aside: {consumers} was writing its dead letter {within} and has not "
                f"said whether it could; {look} once that consumer or the next one goes on"
            )
        case SkipOutcome.NOT_WITHDRAWN:
            until = time.strftime("%H:%M:%S", time.localtime(skipped.until))
            return (
                f"it is not known what becomes of {log_id}: the request could not be withdrawn ({skipped.error}) "
                f"and may be acted on until {until}; {look} after that"
            )
