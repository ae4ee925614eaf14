"""Seeded chaos: kills, freezes, stops and starts a stack's processes, and takes broker and webhook away, until its decks
are empty; then the faults stop, and every event has to be completed.

A deck is a shuffled list of what has to happen at least once, so a run that ends has done it all. Each new process gets the next
failpoint; a process that is not killed there within `point_timeout` is stopped, and the failpoint goes back into the deck.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter, deque
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Final, Protocol

from admin.actions.dead_letters import Choice, chosen
from shared import failpoints
from shared.transport.port import Checkpoint
from simulator.journal import ReceivedCall
from tests.faults import cases
from tests.faults.fault_stack import FaultProcess, FaultStack
from tests.faults.oracle import Disturbance
from tests.support import faults
from tests.support.background import run_on
from tests.support.position_observer import LogUnreadable

_TICK: Final = 0.02

#: The kill comes at a random pass of its failpoint, this one at the latest.
_PASSES: Final[Mapping[str, int]] = {
    "after-poll": 6,
    "request-sent": 80,
    "answered": 80,
    "marked": 80,
    "inside-commit": 6,
    "after-commit": 6,
    "in-revoked": 1,
    "drained": 1,
    "before-seek": 3,
    "letter-acknowledged": 1,
    "chain-started": 20,
    "chain-ended": 20,
    "page-read": 5,
    "ahead-read": 2,
    "before-publish": 5,
    "record-acknowledged": 120,
    "page-acknowledged": 5,
    "checkpoint-written": 5,
}


_POINTS_OF: Final[Mapping[str, Sequence[str]]] = {
    "consume": (*failpoints.CONSUMER, *failpoints.RULES),
    "produce": failpoints.PRODUCER,
    "run": (*failpoints.CONSUMER, *failpoints.RULES, *failpoints.PRODUCER),
}


class Breakable(Protocol):
    """A broker."""

    def kill(self) -> None: ...
    def start(self) -> None: ...
    def freeze(self) -> None: ...
    def thaw(self) -> None: ...


@dataclass(slots=True)
class Slot:
    """One process at a time, and its successors."""

    role: str
    process: FaultProcess | None = None
    #: When the next one may start.
    due: float = 0.0
    #: It is frozen or stopping: nothing else is done to it.
    busy: bool = False


#: What every call meets for a while.
_OUTAGES: Final = (faults.status(503), faults.status(410), faults.hang_before_headers())


@dataclass(slots=True)
class Chaos:
    """`rate`: new events in the tenant each second. `session` in seconds."""

    stack: FaultStack
    roles: Sequence[str]
    points: Sequence[str]
    actions: Sequence[str]
    rate: float = 120.0
    session: float = 2.0
    broker: Breakable | None = None
    #: Share of the calls that meet a fault.
    faulty: float = 0.1
    #: Whether some events are never accepted.
    poison: bool = True
    pause: tuple[float, float] = (0.2, 1.5)
    restart: tuple[float, float] = (0.0, 0.6)
    #: Seconds in which a process should reach its failpoint while the broker is up.
    point_timeout: float = 12.0
    disturbances: list[Disturbance] = field(default_factory=list)
    happened: Counter[str] = field(default_factory=Counter)
    _chance: random.Random = field(init=False)
    _slots: list[Slot] = field(init=False)
    _points: deque[str] = field(init=False)
    _later: list[tuple[float, Callable[[], None]]] = field(default_factory=list)
    _began: float = 0.0
    #: When the broker came back last.
    _broker_since: float = 0.0
    _fed: int = 0
    #: The name of the fault that every call meets.
    _outage: str = ""

    def __post_init__(self) -> None:
        self._chance = random.Random(f"{self.stack.seed}/storm")  # this word is part of every seed that docs/faults.md names
        self._slots = [Slot(role) for role in self.roles]
        points = list(self.points)
        self._chance.shuffle(points)
        self._points = deque(points)

    def cause_faults(self, within: float) -> None:
        """Runs until the decks are empty. Raises TimeoutError."""
        stack, chance = self.stack, self._chance
        self._began = time.monotonic()
        self._script_receiver()
        actions = list(self.actions)
        chance.shuffle(actions)
        next_action = self._began + 3.0
        while actions or self._points or self._later or any(slot.process and slot.process.armed for slot in self._slots):
            self._tick()
            now = time.monotonic()
            if now - self._began > within:
                armed = [slot.process.armed for slot in self._slots if slot.process and slot.process.armed]
                left = [*actions, *self._points, *armed]
                raise TimeoutError(f"after {within:g} s not done: {left} {dict(self.happened)}\n{stack.last_output()}")
            if actions and now >= next_action:
                if self._act(actions[-1]):
                    self.happened[actions.pop()] += 1
                    next_action = time.monotonic() + chance.uniform(*self.pause)
                else:
                    actions.insert(0, actions.pop())  # no process is fit for it at the moment
                    next_action = now + 0.1

    def wait_until_done(self, within: float) -> float:
        """Stops the faults and waits until every event is delivered or a dead letter. Returns the seconds that it took.

        Raises TimeoutError when no event is completed for `within` seconds: the total depends on the machine.
        """
        stack = self.stack
        self.faulty = 0.0
        self._script_receiver()
        began = moved = time.monotonic()
        fewest = len(stack.expected) + 1
        while True:
            self._tick(feeding=False)
            left = stack.expected.keys() - stack.receiver.journal.maybe_delivered
            with suppress(LogUnreadable):  # a broker that came back a moment ago may not respond in time
                left -= stack.probe.dead_letters()
            if not left:
                return time.monotonic() - began
            if len(left) < fewest:
                fewest, moved = len(left), time.monotonic()
            if time.monotonic() - moved > within:
                raise TimeoutError(f"INV-6: {len(left)} events are left for {within:g} s\n{_diagnosis(stack, left)}")
            time.sleep(0.1)

    def _is_outage(self, name: str, _call: ReceivedCall) -> bool:
        return self._outage == name

    def _script_receiver(self) -> None:
        script = self.stack.receiver.script
        script.clear()
        for fault in _OUTAGES:
            script.add(fault, when=partial(self._is_outage, fault.name))
        if self.poison:
            script.sometimes(1.0, *cases.POISON, when=cases.meets_poison)
        if self.faulty:
            script.sometimes(self.faulty, *cases.all_cases(self.stack.elsewhere.url))

    def _tick(self, *, feeding: bool = True) -> None:
        time.sleep(_TICK)
        now = time.monotonic()
        if feeding:
            due = round((now - self._began) * self.rate) - self._fed
            if due > 0:
                self.stack.feed(due)
                self._fed += due
        for entry in [entry for entry in self._later if entry[0] <= now]:
            self._later.remove(entry)
            entry[1]()
        for slot in self._slots:
            self._supervise_slot(slot, now)

    def _supervise_slot(self, slot: Slot, now: float) -> None:
        process = slot.process
        if process is None:
            if now >= slot.due:
                slot.process = self._start(slot)
        elif not process.child.alive:
            self._ended(slot, process, now)
        elif process.armed and not slot.busy and now - max(process.child.started, self._broker_since) > self.point_timeout:
            slot.busy = True
            self.happened[f"not reached in time: {process.armed}"] += 1
            process.terminate()
        elif not process.armed and not slot.busy and self._next_point(slot.role) and self._is_working(process):
            slot.busy = True  # makes room for a process with a failpoint
            process.terminate()

    def _start(self, slot: Slot) -> FaultProcess:
        point = self._next_point(slot.role)
        if point:
            self._points.remove(point)
        fault_at = None
        if point:
            # A single consumer gets its partitions only once.
            most = 1 if (slot.role, point) == ("run", "before-seek") else _PASSES[point]
            number = self._chance.randint(1, most)
            # Half of the kills come a moment after the failpoint, in the middle of what follows.
            late = self._chance.uniform(0.0002, 0.004) if point == "inside-commit" or self._chance.random() < 0.5 else 0
            fault_at = f"{point}:{number}+{late:.4f}" if late else f"{point}:{number}"
        slot.busy = False
        return self.stack.start(slot.role, fault_at=fault_at)

    def _next_point(self, role: str) -> str | None:
        """Returns the next failpoint for this role."""
        return next((point for point in self._points if point in _POINTS_OF[role]), None)

    def _ended(self, slot: Slot, process: FaultProcess, now: float) -> None:
        slot.process = None
        slot.due = now + self._chance.uniform(*self.restart)
        if process.died_at_its_point:
            self.happened["killed at a point"] += 1
        elif process.armed:
            self._points.append(process.armed)  # something else came first

    def _act(self, action: str) -> bool:
        """Returns False if no process is fit for it at the moment."""
        what, _, whom = action.partition(" ")
        match what, whom:
            case ("kill" | "freeze" | "stop", role):
                return self._act_on_process(what, role)
            case "broker", "kill":
                return self._break_broker(freeze=False)
            case "broker", "freeze":
                return self._break_broker(freeze=True)
            case "webhook", "refuse":
                return self._close_webhook()
            case "webhook", name:
                assert any(fault.name == name for fault in _OUTAGES), name
                self._outage = name
                self._wait(self._chance.uniform(1.0, 3.0))
                self._outage = ""
                return True
        raise AssertionError(action)

    def _wait(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self._tick()

    def _act_on_process(self, what: str, role: str) -> bool:
        """Picks a process that is working; a standby poller has nothing to lose."""
        at_work = [
            slot
            for slot in self._slots
            if slot.role == role and not slot.busy and slot.process and self._is_working(slot.process)
        ]
        if not at_work:
            return False
        slot = self._chance.choice(at_work)
        process = slot.process
        assert process is not None
        match what:
            case "kill":
                time.sleep(self._chance.uniform(0, 0.05))
                if not process.child.alive:
                    return False
                process.kill()
            case "stop":
                slot.busy = True
                process.terminate()
            case "freeze":
                slot.busy = True
                since = self.stack.freeze(process)
                self._later.append(
                    (since + self.session * self._chance.uniform(1.3, 2.0), lambda: self._thaw(slot, process, since))
                )
        return True

    def _is_working(self, process: FaultProcess) -> bool:
        if process.role == "produce":
            return (
                process.child.alive and '"polling Auth0"' in process.child.text and time.monotonic() - process.child.started > 1.0
            )
        return process.child.alive and self.stack.is_calling(process)

    def _thaw(self, slot: Slot, process: FaultProcess, since: float) -> None:
        self.stack.thaw(process, since)
        slot.busy = False

    def _break_broker(self, *, freeze: bool) -> bool:
        broker = self.broker
        assert broker is not None
        began = time.monotonic()
        broker.freeze() if freeze else broker.kill()
        self._wait(self._chance.uniform(0.5, 4.0))
        broker.thaw() if freeze else broker.start()
        self._broker_since = time.monotonic()
        self.disturbances.append(Disturbance(began, self._broker_since + 6.0, frozen=freeze))
        return True

    def _close_webhook(self) -> bool:
        receiver = self.stack.receiver
        port = receiver.port
        run_on(receiver, receiver.stop())
        self._wait(self._chance.uniform(0.5, 2.5))
        run_on(receiver, receiver.start(port=port))
        return True


def _diagnosis(stack: FaultStack, left: Collection[str], most: int = 5) -> str:
    """Returns for the first few events that are left: their offsets, their calls, and the log lines that name them."""
    offsets: dict[str, list[tuple[int, int]]] = {}
    for partition_offset, record in stack.probe.records().items():
        offsets.setdefault(record.log_id, []).append(partition_offset)
    checkpoint, dead_letters = asyncio.run(_stored(stack))
    found = [f"checkpoint {checkpoint}"]
    positions = stack.observer.last
    for log_id in sorted(left)[:most]:
        in_tenant = stack.log.find(log_id, stack.log.span(time.time()))
        found.append(f"{log_id}, in the tenant: {in_tenant}, at (partition, offset): {offsets.get(log_id)}")
        found.append(f"  a dead letter: {log_id in dead_letters}")
        found += [f"  committed in {partition}: {positions.get(partition)}" for partition, _ in offsets.get(log_id, ())]
        calls = (delivery for delivery in stack.receiver.journal.all if delivery.call.log_id == log_id)
        found += [f"  {one.call.arrived_ns / 1e9:.3f} {one.call.path} {one.verdict} {one.status}" for one in calls]
        for process in stack.processes:
            lines = [line for line in process.child.text.splitlines() if log_id in line]
            found += [f"  {process.number} {process.role} (alive: {process.child.alive}): {line}" for line in lines]
    return "\n".join((*found, stack.last_output()))


async def _stored(stack: FaultStack) -> tuple[Checkpoint | None, frozenset[str]]:
    """Returns the checkpoint and the log ids of the dead letters, read through a new transport."""
    transport = stack.probe.transport()
    try:
        return await transport.checkpoint(), frozenset(found.log_id for found in (await chosen(transport, Choice())).dead_letters)
    finally:
        await transport.close()
