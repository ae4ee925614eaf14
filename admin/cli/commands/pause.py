"""`pause` and `resume`: the delivery of all consumers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from admin.actions.looking.wording import counted, since
from admin.cli.options import option, words
from admin.cli.output import say
from shared.errors import ConfigurationError, EnvironmentUnusable
from shared.text import visible

if TYPE_CHECKING:
    from admin.actions.pause import DeliveryChange
    from shared.transport.port import Transport

By = Annotated[str, option("--by", words("NAME"), "Who; your login and host if not given.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]


def pause(
    reason: Annotated[str, option("--reason", words("WORDS"), "Why; `status` shows it to everybody.")],
    by: By = "",
    yes: Yes = False,
) -> None:
    """Stop all calls to the webhook until `resume`.

    It holds for every consumer, also one that starts later. Open calls end; none begins any more. Events are read from Auth0
    and wait: nothing is lost, and nothing is sent twice.

    Examples:
      auth0-webhooks pause --reason "the receiver moves to another host"
    """
    if not reason.strip():
        raise ConfigurationError(["--reason must say why: it is all that the next person will know"])
    _change("Pause the delivery of every consumer, until `auth0-webhooks resume`?", paused=True, by=by, why=reason, yes=yes)


def resume(by: By = "", yes: Yes = False) -> None:
    """Begin calls to the webhook again after `pause`.

    Calls begin one at a time and more as they succeed, as after an outage of the webhook.

    Examples:
      auth0-webhooks resume
    """
    _change("Begin calls to the webhook again?", paused=False, by=by, why="", yes=yes)


def _change(question: str, *, paused: bool, by: str, why: str, yes: bool) -> None:
    from admin.actions.pause import change_delivery
    from admin.cli.confirm import confirm
    from admin.cli.context import operator, with_transport

    async def work(transport: Transport) -> DeliveryChange | None:
        if not confirm(question, yes=yes):  # not before: a person is not asked where there is no log
            return None
        return await change_delivery(transport, paused=paused, by=operator(by), why=why)

    if change := with_transport(work):
        _report(change, paused=paused)


def _report(change: DeliveryChange, *, paused: bool) -> None:
    """Raises `EnvironmentUnusable` where it does not hold for every live consumer."""
    holds = _holds(change)
    if change.desired.paused != paused:
        raise EnvironmentUnusable(f"another operator was later: {holds}. Look at `auth0-webhooks status`")
    if change.missing:
        missing = visible("; ".join(change.missing))
        raise EnvironmentUnusable(
            f"{holds}. {counted(len(change.following), 'consumer')} reported it, and within 5 s not: {missing}. It is stored: "
            "each follows as soon as it reads it; `auth0-webhooks status` shows which have"
        )
    say(f"{holds}. {_followers(change, paused=paused)}")


def _holds(change: DeliveryChange) -> str:
    desired = change.desired
    if not desired.by:
        return "Delivery is not paused; nothing was changed"
    already = "" if change.ours else "already "
    words = "paused" if desired.paused else "not paused"
    why = f": {visible(desired.why)}" if desired.why else ""
    return f"Delivery is {already}{words}, by {visible(desired.by)} since {since(desired.since)}{why}"


def _followers(change: DeliveryChange, *, paused: bool) -> str:
    count = len(change.following)
    if not count:
        return "No consumer runs at the moment; those that start will follow"
    consumers = counted(count, "consumer")
    if not paused:
        return f"{consumers} may begin calls again"
    calls = f"; {counted(change.open_calls, 'open call')} will still end" if change.open_calls else ""
    return f"{consumers} begin{'s' if count == 1 else ''} no call any more{calls}. `auth0-webhooks resume` goes on"
