"""What the commands have in common that serve something on this machine until they are stopped."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from admin.cli.output import say, show_line
from shared.errors import EnvironmentUnusable
from shared.listening import why_not

if TYPE_CHECKING:
    from simulator.http import Server


def run(work: Callable[[asyncio.Event], Coroutine[Any, Any, None]]) -> None:
    """Run `work(stop)` until it ends or a signal comes. Of our own log only warnings and errors are shown, on standard error."""
    from admin import supervisor
    from shared import logging
    from shared.settings import log_format

    logging.configure(verbosity="warning", log_format=log_format() or "console")
    supervisor.run(work, grace=5)


async def serve(
    server: Server, host: str, port: int, stop: asyncio.Event, what: str, variables: Callable[[str], Sequence[str]]
) -> None:
    """Say on standard error what it is and what to paste, then serve until `stop`.

    `variables` gets the URL and returns assignments. Raises `EnvironmentUnusable` where the address cannot be had.
    """
    try:
        await server.start(host, port)
    except (OSError, UnicodeError) as error:
        raise EnvironmentUnusable(
            f"cannot listen on {host}:{port}: {why_not(error)}. Choose another with --port (0 takes a free one) or --host"
        ) from None
    say(f"{what}; paste this where auth0-webhooks runs:", to_person=True)
    for assignment in variables(reachable(server.url)):
        show_line(f"  export {assignment}", to_person=True)
    try:
        await stop.wait()
    finally:
        await server.stop()


def reachable(url: str) -> str:
    """Returns a URL that a program on this machine can call, where the server listens on all addresses."""
    parts = urlsplit(url)
    host = ipaddress.ip_address(parts.hostname or "")
    if not host.is_unspecified:
        return url
    return f"{parts.scheme}://{'127.0.0.1' if host.version == 4 else '[::1]'}:{parts.port}"
