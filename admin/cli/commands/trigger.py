"""`trigger`: one made-up event for the webhook, and what it responds."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, Final

import typer

from admin.cli.options import TYPE, argument, option, words
from admin.cli.output import say, show_body
from admin.exits import Exit
from shared.errors import EnvironmentUnusable

if TYPE_CHECKING:
    from admin.actions.trigger import Triggered
    from consumer.webhook import Call
    from shared.settings import Settings

_MOST_HEADERS: Final = 30
_LONGEST_HEADER: Final = 200  # characters
_LONGEST_BODY: Final = 2000  # characters


def trigger(
    code: Annotated[str, argument(TYPE, "The event's type, such as fp; `auth0-webhooks types` lists all.")],
    user: Annotated[str, option("--user", words("USER_ID"), "The event's user_id; a made-up one if not given.")] = "",
    only_print: Annotated[bool, typer.Option("--print", help="Print the event, and send nothing.")] = False,
) -> None:
    """Post one made-up event to WEBHOOK_URL, and show the response.

    It is sent as a real event would be: the same headers, signature, proxy, certificates and timeout. It needs the WEBHOOK_
    settings only: no Auth0, and no log. Rules are not run, and PII_MODE is ignored. The exit code is 0 if the response means
    delivered, else 3.

    Examples:
      auth0-webhooks trigger fp
      auth0-webhooks trigger limit_wc --user 'auth0|5f7c8ec7'
      auth0-webhooks trigger s --print
    """
    from admin.actions.trigger import call_of, made_up_event

    event = made_up_event(code, user_id=user.encode("utf-8", "backslashreplace").decode())
    if only_print:
        show_body(event)
        return
    settings = _settings()
    call = call_of(event, settings)
    _announce(call, code, settings)
    triggered = _send(call, settings)
    if triggered is None:
        raise typer.Exit(Exit.INTERRUPTED)
    if triggered.attempt.status is not None:
        _show(triggered)
    if not triggered.delivered:
        advice = f"; {triggered.advice}" if triggered.advice else ""
        raise EnvironmentUnusable(f"not delivered: {triggered.attempt.summary}{advice}")


def _settings() -> Settings:
    """Loads the settings, and prints what should be changed in them. Raises `ConfigurationError`."""
    from shared import logging
    from shared.settings import Role, load

    settings = load(Role.TRIGGER)
    log_format = settings.observability.log_format or "console"
    logging.configure(verbosity="warning", log_format=log_format, secrets=settings.secrets())
    for note in settings.notes():
        say(f"note: {note}", to_person=True)
    return settings


def _send(call: Call, settings: Settings) -> Triggered | None:
    """Returns None if a signal came before the outcome was known."""
    from admin import supervisor
    from admin.actions.trigger import trigger as send
    from shared.waiting import Stopped, unless_stopped

    results: list[Triggered] = []

    async def work(stop: asyncio.Event) -> None:
        try:
            results.append(await unless_stopped(stop, send(call, settings)))
        except Stopped:
            say("stopped before there was a response; the event may have arrived", to_person=True)

    supervisor.run(work, grace=5)
    return results[0] if results else None


def _announce(call: Call, code: str, settings: Settings) -> None:
    from shared.log_types import table
    from shared.masking import masked

    signed = "signed" if settings.webhook.secret else "not signed: WEBHOOK_SECRET is not set"
    say(f"POST {masked(settings.webhook.url)}")
    say(f"  {code} ({table()[code].name or 'no name'}), {len(call.body)} bytes, {signed}")
    say(f"  webhook-id: {call.log_id}")


def _show(triggered: Triggered) -> None:
    from http.client import responses

    from shared.masking import excerpt, masked

    status = triggered.attempt.status or 0
    verdict = "delivered" if triggered.delivered else "not delivered"
    say(f"{status} {responses.get(status, '')}".rstrip() + f", {verdict}, {triggered.seconds * 1000:.0f} ms")
    for name, value in triggered.headers[:_MOST_HEADERS]:
        say(f"  {excerpt(name, _LONGEST_HEADER)}: {excerpt(value, _LONGEST_HEADER)}")
    text = masked(triggered.body.decode("utf-8", "backslashreplace")).rstrip()
    if text:
        say(f"\n{text[:_LONGEST_BODY]}")
    if not triggered.whole or len(text) > _LONGEST_BODY:
        say("\n(the rest of the body is not shown)")
