"""A command that changes something leaves who, when, what, why and what came of it in the control table."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

from shared.documents.audit import AuditEntry, surplus
from shared.errors import PublishFailed, TransportUnusable
from shared.logging import get_logger
from shared.transport.port import Table

log = get_logger(__name__)


class Audited:
    """Set `result` before the command ends; else the entry says that it failed."""

    result = "failed"


@asynccontextmanager
async def audited(
    control: Table, *, by: str, what: str, why: str = "", clock: Callable[[], float] = time.time
) -> AsyncIterator[Audited]:
    """Writes the entry, lets the command act, and adds the result. `clock`: seconds since the epoch.

    Raises `PublishFailed` where the log does not take the entry; then nothing was done.
    """
    entry, outcome = AuditEntry.new(by=by, what=what, why=why, now=clock()), Audited()
    await control.put(entry.key, entry.encode())
    try:
        yield outcome
    finally:
        try:
            await control.put(entry.key, replace(entry, result=outcome.result).encode())
            for key in surplus(await control.snapshot(), clock()):
                await control.delete(key)
        except (PublishFailed, TransportUnusable) as error:
            log.warning("the audit entry of this command has no result", what=what, reason=str(error))
