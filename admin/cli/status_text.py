"""What `status` shows a person: the sentence first, then where it stands in detail."""

from __future__ import annotations

from collections.abc import Iterator

from admin.actions.looking.status import Overview, PartitionStatus
from admin.actions.looking.status_rules import named
from admin.actions.looking.wording import age, counted, since
from admin.cli.output import say, show_table
from shared.documents.replica import ReplicaDocument
from shared.text import visible


def show(seen: Overview) -> None:
    say(f"{visible(seen.sentence)}\n")
    for line in _lines(seen):
        say(line)
    say("")
    heads = ("partition", "begin", "end", "committed", "lag", "done beyond", "undelivered", "oldest undelivered", "owner")
    show_table(heads, (_partition_cells(row, seen) for row in seen.partitions))
    if seen.operator.replicas:
        say("")
        names = (
            "process",
            "role",
            "share",
            "in flight",
            "waiting",
            *(("rules",) if seen.rules.any else ()),
            "version",
            "last seen",
        )
        show_table(names, (_replica_cells(one, seen) for one in seen.operator.replicas))
    if seen.unknown:
        say("\nNot known:")
        for sentence in seen.unknown:
            say(f"  {visible(sentence)}")


def _lines(seen: Overview) -> Iterator[str]:
    pollers, reports = seen.poller_reports, seen.consumer_reports
    tenant = next((one.tenant for one in pollers.values()), "")
    webhook = next((one.webhook for one in reports), "")
    if tenant or webhook:
        yield f"from        {tenant or 'a tenant that no process names'} to {webhook or 'a webhook that no process names'}"
    yield f"log         {', '.join(value for name, value in seen.log.items() if name != 'group')}"
    if seen.consumers and seen.consumers.group:
        yield f"group       {seen.consumers.group}, {counted(seen.consumers.members or 0, 'member')}"
    standby = sum(not one.leading for one in pollers.values())
    for name, poller in pollers.items():
        if poller.leading:
            polled = f"asked Auth0 {age(seen.now - poller.last_poll)} ago" if poller.last_poll else "has not asked Auth0 yet"
            trouble = f"; failed {counted(poller.failures, 'time')}: {poller.last_error}" if poller.failures else ""
            yield f"poller      {name}, {polled}{trouble}; {standby} on standby"
    if seen.checkpoint:
        read = "" if seen.checkpoint_age is None else f", read to the end {age(seen.checkpoint_age)} ago"
        entry = f"{seen.checkpoint.log_id or 'reset: the oldest entry that Auth0 has'} {seen.checkpoint.date}".rstrip()
        yield f"checkpoint  {entry}{read}"
    if seen.down:
        breaker = seen.down.breaker
        probe = f", next probe at {since(breaker.probe_at, seen.now)}" if breaker.probe_at else ""
        yield f"breaker     {breaker.state}: {breaker.last_outcome}{probe}"
    yield from _rules_lines(seen)
    gaps = len(seen.operator.gaps) if seen.operator.readable else None
    yield f"set aside   {_number(seen.dead_letters, 'dead letter')}, {_number(gaps, 'gap')}"
    if rates := [f"{name} {rate:.1f}/s" for name, rate in seen.rates.items() if rate]:
        yield f"last minute {', '.join(rates)}"


def _number(number: int | None, noun: str) -> str:
    return f"an unknown number of {noun}s" if number is None else counted(number, noun)


def _rules_lines(seen: Overview) -> Iterator[str]:
    rules = seen.rules
    if rules.any:
        which = [f"{value or 'none'} on {named(where)}" for value, where in rules.by_hash.items()]
        yield f"rules       {'consumers differ: ' if rules.differ else ''}{'; '.join(which)}"
    for rule, where in rules.switched_off.items():
        yield f"            {rule} is switched off on {named(where)}, until they are started again"


def _partition_cells(row: PartitionStatus, seen: Overview) -> tuple[object, ...]:
    oldest = "-"
    if row.oldest:
        event = row.oldest
        tried = f", {counted(event.attempts, 'attempt')}: {event.last_outcome}" if event.attempts else ""
        tried += f", {event.reason}" if event.reason else ""
        oldest = f"{event.log_id or 'no record of ours'} {event.type} {age(seen.now - event.since)}{tried}"
    committed = "-" if row.committed is None else row.committed
    numbers = (row.begin, row.end, committed, row.lag, row.done_beyond, row.undelivered)
    return row.partition, *numbers, oldest, row.owner or "-"


def _replica_cells(one: ReplicaDocument, seen: Overview) -> tuple[object, ...]:
    last = f"{age(seen.now - one.seen)} ago{', stale' if seen.operator.is_stale(one, seen.now) else ''}"
    consumer = one.consumer
    work = (consumer.share, consumer.in_flight, consumer.window_events) if consumer else ("-", "-", "-")
    role = f"{one.role}{', leads' if one.poller and one.poller.leading else ''}"
    rules = ((consumer.rules.hash if consumer and consumer.rules else "-"),) if seen.rules.any else ()
    return one.id, role, *work, *rules, one.version, last
