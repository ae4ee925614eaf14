"""How many logins of the past wait at a start with rules, on both logs, with the rights of a consumer."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

import pytest
from structlog.testing import capture_logs

from admin.actions import past_logins as actions
from admin.actions.past_logins import PAST, PastLogins, PastStart, past_logins
from consumer.partitions.ledger import Ledger
from rules.pipeline.chains import Chains
from rules.rule import Rule
from shared.event import Event, slice_page
from shared.record import Record
from shared.start_from import StartFrom
from shared.transport.port import OLDEST, Checkpoint
from tests.contract.harness import ContractListener, joined, publish, read
from tests.support.transports import Log, make
from tests.unit.consumer.manual import ManualRules

NOW: Final = datetime(2026, 11, 29, 12, tzinfo=UTC)
MONTH_AGO, HOUR_AGO, JUST_NOW = NOW - timedelta(days=30), NOW - timedelta(hours=1), NOW - timedelta(seconds=PAST - 60)


class Looking(ManualRules):
    """Those of the default events, after `since`."""

    def __init__(self, since: datetime | None = None) -> None:
        super().__init__()
        self._chains = Chains([Rule(name="a", path=None, source="")], since)  # type: ignore[arg-type]

    def looks_at(self, record: Record) -> bool:
        return bool(self._chains.of(record))


@pytest.fixture(params=["sqlite", "kafka by password"])
def log(request: pytest.FixtureRequest) -> Log:
    return make(request.param, request)


def _event(number: int, at: datetime, *, code: str = "s", user: str | None = None) -> Event:
    user = f"auth0|{number % 5}" if user is None else user
    entry = {"log_id": f"900{number:053d}", "type": code, "date": f"{at:%Y-%m-%dT%H:%M:%S}.000Z", "user_id": user}
    return slice_page(b"[" + json.dumps(entry).encode() + b"]")[0]


async def _count(log: Log, since: datetime | None = None) -> PastLogins:
    transport = log.transport_of("consumer")
    try:
        return await past_logins(transport, Looking(since), asyncio.Event(), NOW.timestamp())
    finally:
        await transport.close()


async def test_what_waits_is_of_the_past_and_is_looked_at_by_a_rule_counts(log: Log) -> None:
    assert await _count(log) == PastLogins(oldest=NOW.timestamp())
    old = [_event(number, HOUR_AGO) for number in range(20)]
    just_now = _event(22, JUST_NOW).log_id.encode()
    others = [_event(20, HOUR_AGO, code="fp"), _event(21, HOUR_AGO, user=""), _event(22, JUST_NOW)]
    await publish(log.transport(), [*old, *others, _event(23, MONTH_AGO)])
    found = await _count(log)
    assert (found.complete, found.oldest) == (True, MONTH_AGO.timestamp())
    assert found.number == 21, "a failed login, one without a user and one of just now do not count"
    assert (await _count(log, since=NOW - timedelta(days=2))).number == 20
    assert (await _count(log, since=NOW)).number == 0

    listener = ContractListener()
    async with joined(log, listener) as member:
        ledgers: dict[int, Ledger] = {}
        for partition, record in (records := await read(member, 24)):
            ledger = ledgers.setdefault(partition, Ledger(listener.starts[partition]))
            assert ledger.take(record.offset)
            if ledger.open > 1:  # all but the first one of each partition are done
                ledger.done(record.offset)
        assert await member.commit({partition: ledger.committable for partition, ledger in ledgers.items()})
    still_open = dict(reversed(records)).values()
    past = [record for record in still_open if Looking().looks_at(record) and dict(record.headers)["log-id"] != just_now]
    assert (await _count(log)).number == len(past) < 21


async def test_no_more_than_so_many_records_are_read_and_a_stop_ends_it(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    await publish(log.transport(), [_event(number, HOUR_AGO) for number in range(60)])
    monkeypatch.setattr(actions, "MOST", 12)
    found = await _count(log)
    assert (found.complete, 0 < found.number <= 12) == (False, True)
    stop = asyncio.Event()
    stop.set()
    transport = log.transport_of("consumer")
    assert not (await past_logins(transport, Looking(), stop, NOW.timestamp())).complete
    await transport.close()


@pytest.fixture
def lines() -> Iterator[list[dict[str, object]]]:
    with capture_logs() as captured:
        yield captured  # type: ignore[misc]


@pytest.mark.parametrize(
    ("start", "checkpoint", "begins"),
    [
        (None, OLDEST, "the oldest entry that Auth0 has"),
        (None, Checkpoint(log_id="9001"), None),
        (StartFrom("2026-11-20", moment=MONTH_AGO), Checkpoint(log_id="9001"), "2026-11-20"),
        (StartFrom("now", now=True), Checkpoint(log_id="9001"), None),
        (StartFrom("now", now=True), OLDEST, None),
    ],
)
def test_a_beginning_in_the_past_is_told_once(
    lines: list[dict[str, object]], start: StartFrom | None, checkpoint: Checkpoint, begins: str | None
) -> None:
    observer = PastStart()
    if start:
        observer.started(start, checkpoint)
    observer.leading(checkpoint)
    observer.leading(replace(checkpoint, log_id="9002"))
    assert [line.get("begins") for line in lines] == ([begins] if begins else [])
