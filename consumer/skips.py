"""Skips that operators ask for while consumers run: documents `skip/LOG_ID` in the control table.

Whoever holds the event sets it aside, and removes the document when it has come to its end; the others leave it alone.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Final

from consumer.dispatcher import Dispatcher
from consumer.holdings import Holdings
from shared.errors import PublishFailed, TransportUnusable
from shared.log import get_logger
from shared.transport.port import Control, Transport

PREFIX: Final = "skip/"
VERSION: Final = 1
_EVERY: Final = 2.0  # seconds

log = get_logger(__name__)


def document(*, by: str, reason: str) -> bytes:
    return json.dumps({"v": VERSION, "by": by, "reason": reason}).encode()


class Skips:
    def __init__(self, dispatcher: Dispatcher, holdings: Holdings) -> None:
        self._dispatcher = dispatcher
        self._holdings = holdings
        #: Those that we set aside and whose document is still there.
        self._ours: set[str] = set()

    async def follow(self, transport: Transport, stop: asyncio.Event) -> None:
        """Look every two seconds until `stop`. A log without a control table only costs the skips, and a line."""
        try:
            control = await transport.control()
        except TransportUnusable as error:
            log.warning("skips asked for by an operator will not be seen", reason=str(error))
            return
        try:
            while not stop.is_set():
                await self.look(control)
                await asyncio.sleep(_EVERY)
        finally:
            await control.close()

    async def look(self, control: Control) -> None:
        try:
            documents = await control.snapshot()
            for key, text in documents.items():
                if key.startswith(PREFIX):
                    await self._look_at(control, key.removeprefix(PREFIX), text)
        except (PublishFailed, TransportUnusable) as error:
            log.warning("the control table cannot be read or written at the moment", reason=str(error))

    async def _look_at(self, control: Control, log_id: str, text: bytes) -> None:
        reason = _reason(text)
        if reason is None:
            log.warning("a skip of another version or form is ignored", log_id=log_id)
        elif self._dispatcher.skip(log_id, tuple(self._holdings.owned.values()), reason):
            self._ours.add(log_id)
        elif log_id in self._ours:
            await control.delete(PREFIX + log_id)
            self._ours.discard(log_id)


def _reason(text: bytes) -> str | None:
    try:
        fields: Mapping[str, object] = json.loads(text)
        return f"skipped by {fields['by']}: {fields['reason']}" if fields["v"] == VERSION else None
    except (ValueError, KeyError, TypeError):
        return None
