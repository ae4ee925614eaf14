"""Which rules run on an event, by the headers of its record. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from rules.rule import DEFAULT_EVENTS, Rule
from shared.event import log_id_time, moment_of
from shared.record import Record

Chain = tuple[Rule, ...]


class Chains:
    """`rules` in their order; `since`: on older events none of them runs."""

    def __init__(self, rules: Iterable[Rule], since: datetime | None = None) -> None:
        rules = tuple(rules)
        types = {code for rule in rules for code in rule.events or DEFAULT_EVENTS}
        self._by_type: dict[bytes, Chain] = {code.encode(): chain_for(code, rules) for code in types}
        self._since = since

    def of(self, record: Record) -> Chain:
        """Returns the rules that run on it if it has a user; cheap."""
        headers = dict(record.headers)
        chain = self._by_type.get(headers.get("type", b""), ())
        # An event without a user has its own id for a key.
        if not chain or record.key == headers.get("log-id"):
            return ()
        return () if self._since and _moment(record, headers) < self._since else chain


def chain_for(code: str, rules: Iterable[Rule]) -> Chain:
    """Returns those of the rules that run on events of that type."""
    return tuple(rule for rule in rules if rule.enabled and code in (rule.events or DEFAULT_EVENTS))


def _moment(record: Record, headers: dict[str, bytes]) -> datetime:
    """When it happened: by its date, else by its id, else at the latest when it was published.

    So an event whose date cannot be read is passed over only where it is surely older.
    """
    date, log_id = (headers.get(name, b"").decode("ascii", "replace") for name in ("date", "log-id"))
    return moment_of(date) or log_id_time(log_id) or datetime.fromtimestamp(record.timestamp, UTC)
