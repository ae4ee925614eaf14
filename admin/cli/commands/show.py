"""`show`: where one event is now, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from admin.cli.options import LOG_ID, argument
from admin.cli.output import say, show_json
from shared.text import visible

if TYPE_CHECKING:
    from admin.actions.looking.show import FilterAtHand
    from admin.actions.looking.where import Where
    from shared.event import Event


def show(
    log_id: Annotated[str, argument(LOG_ID, "The event's log id, or the beginning of it; or PARTITION:OFFSET.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show where one event is now, and why.

    One of filtered, waiting, retrying, in_flight, delivered, dead, gap, unknown. Deliveries are not stored one by one:
    `delivered` is derived from the committed position. For an event that is not in the log, Auth0 is asked where
    AUTH0_DOMAIN and its credentials are set.

    Examples:
      auth0-webhooks show 90020261129183000000
    """
    from admin.actions.looking import show as actions
    from admin.cli.context import with_transport

    at_hand = _at_hand()
    where = with_transport(lambda transport: actions.show(transport, log_id.strip(), at_hand))
    if as_json:
        show_json(_fields(where))
    else:
        _print(where)


def _at_hand() -> FilterAtHand | str:
    """Returns the filter and Auth0, or why they are not at hand: this command may run beside a consumer alone."""
    from admin import compose, compose_auth0
    from admin.actions.looking.explain import ask_auth0
    from admin.actions.looking.show import FilterAtHand
    from shared.errors import ConfigurationError
    from shared.settings import Role, load

    try:
        settings = load(Role.PRODUCE)
    except ConfigurationError as error:
        return error.problems[0]

    async def ask(log_id: str) -> Event | None:
        return await ask_auth0(compose_auth0.auth0_logs(settings), log_id)

    return FilterAtHand(compose.selection(settings), ask)


def _fields(where: Where) -> dict[str, Any]:
    from dataclasses import asdict

    from admin.actions.looking.status_json import moment

    return {**asdict(where), "state": where.state.value, "next_try": moment(where.next_try)}


def _print(where: Where) -> None:
    say(visible(f"{where.log_id}: {where.state.replace('_', ' ')}"))
    say(visible(where.why))
    if where.partition is not None:
        say(f"  at            partition {where.partition}, offset {where.offset}")
    if where.attempts:
        say(f"  attempts      {where.attempts}, the last one: {where.last_outcome or 'not known'}")
    if where.next_try is not None:
        from admin.actions.looking.status_json import moment

        say(f"  next attempt  {moment(where.next_try)}")
    if where.behind:
        say(f"  behind        {where.behind}")
