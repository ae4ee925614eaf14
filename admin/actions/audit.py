"""A command that changes something leaves who, when, what, why and what came of it in the control table."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace

from shared.documents.audit import MOST_EVENTS, AuditEntry, surplus
from shared.errors import PublishFailed, TransportUnusable
from shared.logging import get_logger
from shared.transport.port import Table, Transport

log = get_logger(__name__)


class Audited:
    """Set `result` before the command ends; else the entry says that it failed."""

    result = "failed"


@asynccontextmanager
async def audited(
    control: Table,
    *,
    by: str,
    what: str,
    why: str = "",
    log_ids: Sequence[str] = (),
    clock: Callable[[], float] = time.time,
) -> AsyncIterator[Audited]:
    """Writes the entry, lets the command act, and adds the result. `log_ids`: of the events that it is about.

    `clock`: seconds since the epoch. Raises `PublishFailed` where the log does not take the entry; then nothing was done.
    """
    parts = [log_ids[first : first + MOST_EVENTS] for first in range(0, len(log_ids), MOST_EVENTS)] or [()]
    entries = [AuditEntry.new(by=by, what=what, why=why, log_ids=part, now=clock()) for part in parts]
    outcome = Audited()
    for entry in entries:
        await control.put(entry.key, entry.encode())
    try:
        yield outcome
    finally:
        try:
            for entry in entries:
                await control.put(entry.key, replace(entry, result=outcome.result).encode())
            for key in surplus(await control.snapshot(), clock()):
                await control.delete(key)
        except (PublishFailed, TransportUnusable) as error:
            log.warning("the audit entry of this command has no result", what=what, reason=str(error))


@asynccontextmanager
async def noted(
    transport: Transport, *, by: str, what: str, why: str = "", log_ids: Sequence[str] = ()
) -> AsyncIterator[Audited]:
    """As `audited`, for a command that needs no control table: it acts all the same where that takes no entry."""
    outcome = Audited()
    async with AsyncExitStack() as exits:
        try:
            control = await transport.control()
            exits.push_async_callback(control.close)
            outcome = await exits.enter_async_context(audited(control, by=by, what=what, why=why, log_ids=log_ids))
        except (PublishFailed, TransportUnusable) as error:
            log.warning("this command is not in the audit", what=what, reason=str(error))
        yield outcome


async def note(transport: Transport, *, by: str, what: str) -> None:
    """For what was done already, in one step."""
    async with noted(transport, by=by, what=what) as outcome:
        outcome.result = "done"
