"""The desired state of the delivery: this consumer pauses and resumes as the control table says.

The last known state holds while the table cannot be read, while the document cannot be read, and when it is gone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from shared.control import ControlReader
from shared.documents.desired import DesiredDelivery, desired
from shared.errors import RecordInvalid
from shared.logging import get_logger
from shared.transport.port import Table

log = get_logger(__name__)


class DesiredState(ControlReader):
    """`apply(paused)` is called when that changes; no call begins after `apply(True)` returned."""

    def __init__(self, apply: Callable[[bool], None]) -> None:
        self._apply = apply
        #: The newest that this replica has taken on; None: there was none, deliver.
        self.known: DesiredDelivery | None = None
        self._said = ""

    @property
    def paused(self) -> bool:
        return self.known is not None and self.known.paused

    @property
    def sentence(self) -> str:
        """Who paused it, since when and why; empty while it is not paused."""
        return self.known.sentence if self.known and self.known.paused else ""

    async def read(self, _table: Table, documents: Mapping[str, bytes]) -> bool:
        try:
            found = desired(documents)
        except RecordInvalid as error:
            self._hold(f"the desired state cannot be read: {error}")
            return False
        if found is None and self.known is not None:
            self._hold("the desired state is gone from the control table")
            return False
        self._said = ""
        if found is not None and found != self.known:
            self._take_on(found)
        return False

    def missed(self) -> None:
        pass  # the last known state holds

    async def leave(self, _table: Table) -> None:
        pass

    def _take_on(self, found: DesiredDelivery) -> None:
        changes, self.known = found.paused != self.paused, found
        if changes:
            self._apply(found.paused)
        if changes and found.paused:
            log.warning("delivery is paused by an operator: no call begins", by=found.by, why=found.why)
        elif changes:
            log.warning("delivery is resumed by an operator", by=found.by, why=found.why)

    def _hold(self, reason: str) -> None:
        """Logs each reason once in a row."""
        if reason != self._said:
            state = "delivery stays paused" if self.paused else "delivery goes on"
            log.warning("the last known state holds", state=state, reason=reason, remedy="auth0-webhooks pause, or resume")
        self._said = reason
