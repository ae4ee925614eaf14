"""What the shell completes from the log itself. A log that cannot be read completes nothing: Tab is no place for an error."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator
from contextlib import suppress
from typing import Final

_BOUND: Final = 5.0  # seconds
_MOST: Final = 100


def dead_letter_ids(incomplete: str) -> Iterator[tuple[str, str]]:
    from shared.errors import ConfigurationError, EnvironmentUnusable

    log_ids: Collection[str] = ()
    with suppress(ConfigurationError, EnvironmentUnusable, TimeoutError):
        log_ids = asyncio.run(asyncio.wait_for(_dead_letter_ids(), _BOUND))
    found = sorted((log_id for log_id in log_ids if log_id.startswith(incomplete) and log_id.isprintable()), reverse=True)
    return ((log_id, "a dead letter") for log_id in found[:_MOST])


async def _dead_letter_ids() -> Collection[str]:
    from admin import compose_transport
    from shared import logging
    from shared.settings import Role, load

    settings = load(Role.LOG)
    logging.configure(verbosity="error", log_format="console", secrets=settings.secrets())
    if not (settings.transport.bootstrap_servers or settings.transport.sqlite_path.exists()):
        return ()
    await compose_transport.wait_for_transport(settings, asyncio.Event(), patience=0.0)
    transport = compose_transport.transport(settings)
    try:
        table = await transport.dead_letters()
        try:
            return await table.keys()
        finally:
            await table.close()
    finally:
        await transport.close()
