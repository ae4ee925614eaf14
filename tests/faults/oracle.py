"""Examines a finished run: the invariants, from the receiver's journal, the log, the dead letters and the processes."""

from __future__ import annotations

import signal
import time
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any, Final

from simulator.journal import JournalEntry
from tests.faults.fault_stack import FaultProcess, FaultStack
from tests.faults.log_probe import Records
from tests.faults.report import RunReport, show
from tests.faults.rules import awaits_rules, member_of
from tests.support.position_observer import LogIds

#: Seconds before a disturbance in which a 200 may not be committed yet: the commit interval of these tests, the poll in between,
#: and the delays of a busy machine.
_UNCOMMITTED: Final = 2.0
#: Log lines after which a process may repeat events without having been killed.
_EXCUSES: Final = (
    "partitions lost",
    "positions not committed",
    "the last positions could not be committed",
    "calls broken off",
    "Kafka failed; trying",
    "not released in time",
)


@dataclass(frozen=True, slots=True)
class Disturbance:
    """From `begin` to `end`, by `time.monotonic`, the log or the process with this path was down or frozen."""

    begin: float
    end: float
    #: None: all processes.
    path: str | None = None
    #: It was frozen, and its connections stayed open.
    frozen: bool = False

    def covers(self, moment: float, path: str) -> bool:
        return (self.path is None or self.path == path) and self.begin - _UNCOMMITTED <= moment <= self.end + _UNCOMMITTED


def examine(stack: FaultStack, disturbances: Sequence[Disturbance] = ()) -> RunReport:
    """Call it when every process has ended and the log can be read."""
    records, dead_letters = stack.probe.records(), stack.probe.dead_letters()
    journal = stack.receiver.journal
    report = RunReport(
        events=len(stack.expected),
        delivered=len(journal.maybe_delivered),
        dead_letters=len(dead_letters),
        records=len(records),
        calls=len(journal),
        failed_calls=sum(delivery.status != 200 for delivery in journal.all),
        kinds=Counter(stack.receiver.script.fired),
        commits_seen=len(stack.observer.samples),
        looks=stack.observer.looks,
        peak_calls=stack.receiver.open_calls.peak(),
    )
    report.killed_at.update(process.armed or "" for process in stack.processes if process.died_at_its_point)
    report.rebalances = sum(process.child.text.count("shared the calls out") for process in stack.processes)
    _nothing_is_lost(report, stack, dead_letters)
    _bytes_are_kept(report, stack)
    _commits_are_never_ahead(report, stack, records)
    twice = _twice(records)
    _repeats_are_excused(report, stack, records, twice, disturbances)
    if stack.settings.get("WEBHOOK_ORDERING", "key") == "key":
        _users_are_in_order(report, stack)
    _processes_ended_well(report, stack)
    _copies_are_excused(report, stack, twice, disturbances)
    report.require(not (found := stack.secrets_shown()), f"INV-10 secrets in logs: {found}")
    report.require(not stack.elsewhere.journal.all, "C-11 a redirect was followed")
    return report


def examine_and_show(stack: FaultStack, *words: str) -> RunReport:
    """Prints the report with the seed and these words, and returns it."""
    report = examine(stack)
    show("\n".join((f"FAULTS_SEED={stack.seed}", str(report), *words)))
    return report


def _nothing_is_lost(report: RunReport, stack: FaultStack, dead_letters: frozenset[str]) -> None:
    done = stack.receiver.journal.maybe_delivered | dead_letters
    lost = sorted(stack.expected.keys() - done)
    report.require(not lost, f"INV-1 lost: {lost[:5]} and {max(0, len(lost) - 5)} more")
    unexpected = sorted(done - stack.expected.keys())
    report.require(not unexpected, f"INV-1 not expected: {unexpected[:5]}")


def _bytes_are_kept(report: RunReport, stack: FaultStack) -> None:
    changed = [
        delivery.call.log_id
        for delivery in stack.receiver.journal.all
        if not _is_kept(stack.expected.get(delivery.call.log_id, delivery.body), delivery.body, rules=stack.with_rules)
    ]
    report.require(not changed, f"delivered with other bytes: {changed[:5]}")


def _is_kept(entry: bytes, body: bytes, *, rules: bool) -> bool:
    """With rules, a login has one member more: none goes out without."""
    if rules and awaits_rules(entry):
        return member_of(entry, body) is not None
    return entry == body


def _commits_are_never_ahead(report: RunReport, stack: FaultStack, records: Records) -> None:
    ahead = stack.observer.ahead(_log_ids(records))
    report.require(not ahead, f"INV-4 committed before their 200: {ahead[:5]} and {max(0, len(ahead) - 5)} more")
    report.require(not stack.observer.setbacks, f"INV-4 positions went back: {stack.observer.setbacks[:5]}")


def _log_ids(records: Records) -> LogIds:
    return {partition_offset: record.log_id for partition_offset, record in records.items()}


def _twice(records: Records) -> Mapping[str, Sequence[float]]:
    """Returns the log ids that are in the log more than once, and when each copy was written."""
    moments: dict[str, list[float]] = {}
    for record in records.values():
        moments.setdefault(record.log_id, []).append(record.time)
    return {log_id: copies for log_id, copies in moments.items() if len(copies) > 1}


def _repeats_are_excused(
    report: RunReport, stack: FaultStack, records: Records, twice: Collection[str], disturbances: Sequence[Disturbance]
) -> None:
    """INV-5: an event is called again after its 200 only if its commit can have been lost, within seconds of a disturbance."""
    known = [*disturbances, *(one for process in stack.processes for one in _disturbances_of(process))]
    timed_out = {process.path: timed_out_attempts(process) for process in stack.processes}
    unexplained = []
    for log_id, calls in _by_id(stack.receiver.journal.all):
        first = next((one for one in calls if one.status == 200 and not was_missed(one, timed_out[one.call.path])), None)
        if first is None or log_id in twice:
            continue
        again = [one for one in calls if one.call.arrived_ns > first.answered_ns and not _is_late(one, first, timed_out)]
        report.duplicates += bool(again)
        moment = first.answered_ns / 1e9
        if again and not any(one.covers(moment, first.call.path) for one in known):
            unexplained.append(
                [f"{call.verdict} {call.call.path} {(call.call.arrived_ns - first.answered_ns) / 1e9:+.3f}" for call in calls]
            )
    report.require(
        not unexplained, f"INV-5 repeated without a disturbance: {unexplained[:5]} and {max(0, len(unexplained) - 5)} more"
    )
    called = stack.observer.called_after_commit(_log_ids(records))
    late = [f"{log_id} {what}" for log_id, what in called.items() if log_id not in twice]
    report.require(not late, f"INV-5 called again though a commit said that they were done: {late[:5]}, {len(late)} in all")


def _copies_are_excused(
    report: RunReport, stack: FaultStack, twice: Mapping[str, Sequence[float]], disturbances: Sequence[Disturbance]
) -> None:
    """INV-2. Excused, because not promised: a copy written while a poller or the broker was frozen."""
    frozen = [(one.begin, one.end) for one in disturbances if one.frozen]
    frozen += [span for process in stack.processes if process.role != "consume" for span in process.frozen]
    clock = time.monotonic() - time.time()
    for log_id, copies in twice.items():
        report.repeated_records += len(copies) - 1
        reason = any(begin - 1 <= copy + clock <= end + 1 for copy in copies for begin, end in frozen)
        report.require(reason, f"INV-2 twice in the topic, and nothing was frozen: {log_id}, written at {copies}")


def _users_are_in_order(report: RunReport, stack: FaultStack) -> None:
    """By the first 200 of each event, whole or not: each user's events came one after the other, in the order of the log."""
    last: dict[str, JournalEntry] = {}
    wrong = []
    seen: set[str] = set()
    for delivery in stack.receiver.journal.all:
        call = delivery.call
        if delivery.status != 200 or call.log_id in seen or not call.user_id:
            continue
        seen.add(call.log_id)
        before = last.get(call.user_id)
        last[call.user_id] = delivery
        if before and (before.call.log_id > call.log_id or before.answered_ns > call.arrived_ns):
            wrong.append((before.call.log_id, call.log_id))
    report.require(not wrong, f"out of order: {wrong[:3]}, {len(wrong)} in all")


def _by_id(deliveries: Sequence[JournalEntry]) -> Iterator[tuple[str, list[JournalEntry]]]:
    ordered = sorted(deliveries, key=lambda delivery: (delivery.call.log_id, delivery.call.arrived_ns))
    for log_id, calls in groupby(ordered, key=lambda delivery: delivery.call.log_id):
        yield log_id, list(calls)


def _disturbances_of(process: FaultProcess) -> Iterator[Disturbance]:
    """Yields the disturbances of one process."""
    if process.child.code is not None and process.child.code < 0 and process.child.ended is not None:
        yield Disturbance(process.child.ended, process.child.ended, process.path)
    for begin, end in process.frozen:
        yield Disturbance(begin, end, process.path)
    for line in process.lines():
        if str(line.get("event", "")).startswith(_EXCUSES):
            moment = _when(line)
            yield Disturbance(moment, moment, process.path)


#: By log id, the attempts (as in the request header) that timed out in the process.
TimedOut = Mapping[str, Collection[str | None]]


def timed_out_attempts(process: FaultProcess) -> TimedOut:
    found: dict[str, set[str | None]] = {}
    for line in process.lines():
        if "log_id" in line and str(line.get("outcome", "")).startswith("no response within"):
            found.setdefault(line["log_id"], set()).add(str(line["attempt"]))
    return found


def was_missed(delivery: JournalEntry, timed_out: TimedOut) -> bool:
    """Whether the caller had timed out before this response: a busy receiver may read a request late."""
    return delivery.call.attempt in timed_out.get(delivery.call.log_id, ())


def _is_late(delivery: JournalEntry, first: JournalEntry, timed_out: Mapping[str, TimedOut]) -> bool:
    """Whether it was sent before `first`, timed out, and was read only after that one."""
    before = delivery.call.path == first.call.path and int(delivery.call.attempt or 0) < int(first.call.attempt or 0)
    return before and was_missed(delivery, timed_out[first.call.path])


def _when(line: Mapping[str, Any]) -> float:
    """Returns the time of a log line, by `time.monotonic`."""
    return datetime.fromisoformat(line["timestamp"]).timestamp() - time.time() + time.monotonic()


def _processes_ended_well(report: RunReport, stack: FaultStack) -> None:
    for process in stack.processes:
        code = process.child.code
        killed = code == -signal.SIGKILL and (process.killed is not None or process.died_at_its_point)
        not_ready = code == -signal.SIGTERM and not process.child.text  # its signal handlers were not installed yet
        meant = code == 0 or killed or not_ready
        report.require(meant, f"INV-7 process {process.number} ({process.role}) ended with {code}: {process.child.text[-1500:]}")
        report.require("Traceback" not in process.child.text, f"a traceback in {process.child.output}")
        for usage in stack.sampler.of(process.child):
            report.rss = max(report.rss, usage.rss)
            report.files = max(report.files, usage.files)
            report.threads = max(report.threads, usage.threads)
        if code == 0 and process.role != "produce":
            _counts_are_honest(report, stack, process)


def _counts_are_honest(report: RunReport, stack: FaultStack, process: FaultProcess) -> None:
    """INV-9: the counts in a process's last line are what the receiver saw."""
    stopped = [line for line in process.lines() if line.get("event") == "stopped" and line.get("loop") == "worker"]
    calls = [delivery for delivery in stack.receiver.journal.all if delivery.call.path == process.path]
    if not stopped:
        # Stopped while it still waited for its broker.
        report.require(not calls, f"INV-9 process {process.number} made {len(calls)} calls and ended without its counts")
        return
    answered = sum(delivery.status == 200 for delivery in calls)
    timed_out = timed_out_attempts(process)
    heard = [delivery for delivery in calls if delivery.status == 200 and not was_missed(delivery, timed_out)]
    cut_off = any(str(line.get("event", "")).startswith(("calls broken off", "partitions lost")) for line in process.lines())
    delivered = stopped[-1]["delivered"]
    honest = delivered <= answered if cut_off else len(heard) <= delivered <= answered
    report.require(honest, f"INV-9 process {process.number} counts {delivered} delivered, the receiver {answered}")
