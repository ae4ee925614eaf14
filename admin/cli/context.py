"""How an operator's command gets its settings and the transport."""

from __future__ import annotations

import asyncio
import getpass
import os
import socket
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

from shared.errors import ConfigurationError, EnvironmentUnusable, PublishFailed, Transient

if TYPE_CHECKING:
    from shared.settings import Role, RulesSettings, Settings, TransportSettings
    from shared.transport.port import Transport

T = TypeVar("T")


def with_transport(work: Callable[[Transport], Coroutine[Any, Any, T]]) -> T:
    """Run `work` on the transport that the settings name. Raises `ConfigurationError` and `EnvironmentUnusable`."""
    from shared.settings import Role

    return _run(_load(Role.LOG), lambda _, transport: work(transport))


def with_log(work: Callable[[Settings, Transport], Coroutine[Any, Any, T]]) -> T:
    """The same for a command that also shows which log that is."""
    from shared.settings import Role

    return _run(_load(Role.LOG), work)


def with_tenant(work: Callable[[Settings, Transport], Coroutine[Any, Any, T]]) -> T:
    """The same for a command that also asks Auth0, with the settings of a poller."""
    from shared.settings import Role

    return _run(_load(Role.PRODUCE), work)


def _run(settings: Settings, work: Callable[[Settings, Transport], Coroutine[Any, Any, T]]) -> T:
    from admin import compose_transport

    path = settings.transport.sqlite_path
    if not settings.transport.bootstrap_servers and not path.exists():
        # A new file would be empty, and in a wrong folder "nothing is left to do" would be a false statement.
        raise EnvironmentUnusable(
            f"there is no log at {path.absolute()}: nothing has run here yet, or this is the wrong folder; "
            "name the file with SQLITE_PATH, or the cluster with KAFKA_BOOTSTRAP_SERVERS"
        )

    async def run() -> T:
        await compose_transport.wait_for_transport(settings, asyncio.Event(), patience=0.0)
        transport = compose_transport.transport(settings)
        try:
            return await work(settings, transport)
        except (PublishFailed, Transient) as error:
            raise EnvironmentUnusable(str(error)) from None
        finally:
            await transport.close()

    return asyncio.run(run())


def operator(by: str = "") -> str:
    """Returns who gives the command: `by`, else login and host. A container's user may have no login."""
    try:
        return by or f"{getpass.getuser()}@{socket.gethostname()}"
    except (KeyError, OSError):
        return f"uid {os.getuid()}@{socket.gethostname()}"


def kafka_settings(otherwise: str) -> TransportSettings:
    """For a command that makes sense on Kafka only; `otherwise` says why. Raises `ConfigurationError`."""
    from shared.settings import Role

    settings = _load(Role.LOG)
    if not settings.transport.bootstrap_servers:
        raise ConfigurationError([f"KAFKA_BOOTSTRAP_SERVERS is not set: {otherwise}; on Kafka, name a broker with it: host:port"])
    return settings.transport


def rules_settings() -> RulesSettings:
    """For a command that reads rules. Raises `ConfigurationError`."""
    return rules_test_settings(ask_tenant=False).rules


def rules_test_settings(*, ask_tenant: bool) -> Settings:
    """`ask_tenant`: the settings of the tenant too, if any of them is given. Raises `ConfigurationError`."""
    from shared.settings import Auth0Settings, Role, is_given

    return _load(Role.RULES_TEST if ask_tenant and is_given(Auth0Settings) else Role.RULES)


def _load(role: Role) -> Settings:
    from admin import compose
    from shared.settings import load

    settings = load(role)
    compose.configure_log(settings, otherwise="console")
    return settings
