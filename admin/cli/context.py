"""What the operator's commands have in common: settings, the log, and asking before acting."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

import typer

from admin.cli.confirm import ask
from admin.cli.exits import Exit
from admin.cli.output import say
from shared.errors import ConfigurationError, EnvironmentUnusable, PublishFailed

if TYPE_CHECKING:
    from shared.settings import Settings, TransportSettings
    from shared.transport.port import Transport

T = TypeVar("T")


def on_log(work: Callable[[Transport], Coroutine[Any, Any, T]]) -> T:
    """Run `work` on the log that the settings name. Raises `ConfigurationError` and `EnvironmentUnusable`."""
    from admin import compose

    settings = _settings()
    path = settings.transport.sqlite_path
    if not settings.transport.bootstrap_servers and not path.exists():
        # Made anew it would be empty, and in the wrong folder "nothing is left to do" is the wrong answer.
        raise EnvironmentUnusable(
            f"there is no log at {path.absolute()}: nothing has run here yet, or this is the wrong folder; "
            "name the file with SQLITE_PATH, or the cluster with KAFKA_BOOTSTRAP_SERVERS"
        )

    async def run() -> T:
        await compose.log_answers(settings, asyncio.Event(), patience=0.0)
        transport = compose.transport(settings)
        try:
            return await work(transport)
        except PublishFailed as error:
            raise EnvironmentUnusable(str(error)) from None
        finally:
            await transport.close()

    return asyncio.run(run())


def settings_of_kafka(otherwise: str, *, reached: bool = True) -> TransportSettings:
    """Of a cluster that answers (`reached`). `otherwise`: why this command has no use on the embedded log.

    Raises `ConfigurationError` and `EnvironmentUnusable`.
    """
    from admin import compose

    settings = _settings()
    if not settings.transport.bootstrap_servers:
        raise ConfigurationError([f"KAFKA_BOOTSTRAP_SERVERS is not set: {otherwise}"])

    if reached:
        from shared.transport.kafka.client.preflight import wait_for_broker

        wait_for_broker(settings.transport, 0.0, compose.our_log)
    return settings.transport


def agreed(question: str, *, yes: bool) -> bool:
    """Whether to act; says so where not. Without a person at the keyboard only `--yes` says so; raises `ConfigurationError` then.

    Ctrl-C at the question ends the command.
    """
    if yes:
        return True
    if not sys.stdin.isatty():
        raise ConfigurationError([f"{question} Nothing was done: say --yes where nobody can be asked"])
    try:
        answer = ask(question)
    except (KeyboardInterrupt, EOFError):
        say("\nNothing was changed", to_person=True)
        raise typer.Exit(Exit.INTERRUPTED) from None
    if not answer:
        say("Nothing was changed", to_person=True)
    return answer


def _settings() -> Settings:
    from admin import compose
    from shared.settings import Role, load

    settings = load(Role.LOG)
    compose.configure_log(settings, otherwise="console")
    return settings
