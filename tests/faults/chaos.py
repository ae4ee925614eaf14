"""Seeded chaos: kills, freezes, stops and starts a stack's processes, and takes broker and webhook away, until its decks
are empty; then all is well again, and everything has to come to its end.

A deck holds what has to happen at least, shuffled: so a run that ends has done it. Failpoints travel with the processes: each
new one gets the next point of its deck; whoever is not killed there within `_PATIENCE` is stopped instead, and the point tried
again.
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
from tests.faults.log_probe import LogUnreadable
from tests.faults.oracle import Disturbance
from tests.support import faults
from tests.support.background import run_on

#: Seconds in which a process should come to its failpoint, with a broker there.
_PATIENCE: Final = 12.0
_TICK: Final = 0.02

#: At which pass of a point a process is killed, at the latest.
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
    "page-read": 5,
    "before-publish": 5,
    "record-acknowledged": 120,
    "page-acknowledged": 5,
    "checkpoint-written": 5,
}


_POINTS_OF: Final[Mapping[str, Sequence[str]]] = {
    "consume": failpoints.CONSUMER,
    "produce": failpoints.PRODUCER,
    "run": (*failpoints.CONSUMER, *failpoints.PRODUCER),
}


class Breakable(Protocol):
    """A broker."""

    def kill(self) -> None: ...
    def start(self) -> None: ...
    def freeze(self) -> None: ...
    def thaw(self) -> None: ...


@dataclass(slots=True)
class Slot:
    """A place for one process at a time."""

    role: str
    process: FaultProcess | None = None
    #: When the next one may start.
    due: float = 0.0
    #: Until then it is left alone: it stands still, or ends.
    busy: bool = False


#: What the webhook can be like for everybody, for a while.
_OUTAGES: Final = (faults.status(503), faults.status(410), faults.hang_before_headers())


@dataclass(slots=True)
class Chaos:
    """`rate`: events a second that the tenant has meanwhile. `session` in seconds."""

    stack: FaultStack
    roles: Sequence[str]
    points: Sequence[str]
    actions: Sequence[str]
    rate: float = 120.0
    session: float = 2.0
    broker: Breakable | None = None
    #: Share of the calls that are answered badly.
    faulty: float = 0.1
    #: Whether some events are answered badly for ever.
    poison: bool = True
    pause: tuple[float, float] = (0.2, 1.5)
    restart: tuple[float, float] = (0.0, 0.6)
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

    # -- the whole of it

    def cause_faults(self, within: float) -> None:
        """Until the decks are empty. Raises TimeoutError."""
        stack, chance = self.stack, self._chance
        self._began = time.monotonic()
        self._misbehave()
        actions = list(self.actions)
        chance.shuffle(actions)
        next_action = self._began + 3.0
        while actions or self._points or self._later or any(slot.process and slot.process.armed for slot in self._slots):
            self._tick()
            now = time.monotonic()
            if now - self._began > within:
                armed = [slot.process.armed for slot in self._slots if slot.process and slot.process.armed]
                left = [*actions, *self._points, *armed]
                raise TimeoutError(f"after {within:g} s not done: {left} {dict(self.happened)}\n{stack.last_words()}")
            if actions and now >= next_action:
                if self._act(actions[-1]):
                    self.happened[actions.pop()] += 1
                    next_action = time.monotonic() + chance.uniform(*self.pause)
                else:
                    actions.insert(0, actions.pop())  # nobody is there for it at the moment
                    next_action = now + 0.1

    def wait_until_done(self, within: float) -> float:
        """No more faults: all that is left has to come to its end. Answers the seconds that it took.

        Raises TimeoutError when for `within` seconds none did: how fast they do is the machine's affair.
        """
        stack = self.stack
        self.faulty = 0.0
        self._misbehave()
        began = moved = time.monotonic()
        fewest = len(stack.expected) + 1
        while True:
            self._tick(feeding=False)
            left = stack.expected.keys() - stack.receiver.journal.maybe_delivered
            with suppress(LogUnreadable):  # a broker that came back a moment ago may not answer in time
                left -= stack.probe.dead_letters()
            if not left:
                return time.monotonic() - began
            if len(left) < fewest:
                fewest, moved = len(left), time.monotonic()
            if time.monotonic() - moved > within:
                raise TimeoutError(f"INV-6: {len(left)} events are left for {within:g} s\n{_where_they_are(stack, left)}")
            time.sleep(0.1)

    def _is_outage(self, name: str, _call: ReceivedCall) -> bool:
        return self._outage == name

    def _misbehave(self) -> None:
        script = self.stack.receiver.script
        script.clear()
        for fault in _OUTAGES:
            script.add(fault, when=partial(self._is_outage, fault.name))
        if self.poison:
            script.sometimes(1.0, *cases.POISON, when=cases.meets_poison)
        if self.faulty:
            script.sometimes(self.faulty, *cases.all_cases(self.stack.elsewhere.url))

    # -- every moment

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
            self._look_after(slot, now)

    def _look_after(self, slot: Slot, now: float) -> None:
        process = slot.process
        if process is None:
            if now >= slot.due:
                slot.process = self._start(slot)
        elif not process.child.alive:
            self._ended(slot, process, now)
        elif process.armed and not slot.busy and now - max(process.child.started, self._broker_since) > _PATIENCE:
            slot.busy = True
            self.happened[f"not reached in time: {process.armed}"] += 1
            process.ask()
        elif not process.armed and not slot.busy and self._waits(slot.role) and self._works(process):
            slot.busy = True  # it makes room for one with a failpoint
            process.ask()

    def _start(self, slot: Slot) -> FaultProcess:
        point = self._waits(slot.role)
        if point:
            self._points.remove(point)
        fault_at = None
        if point:
            # Who runs alone on its log is assigned something only once.
            most = 1 if (slot.role, point) == ("run", "before-seek") else _PASSES[point]
            number = self._chance.randint(1, most)
            # Half of them die a moment later, in the middle of whatever comes next.
            late = self._chance.uniform(0.0002, 0.004) if point == "inside-commit" or self._chance.random() < 0.5 else 0
            fault_at = f"{point}:{number}+{late:.4f}" if late else f"{point}:{number}"
        slot.busy = False
        return self.stack.start(slot.role, fault_at=fault_at)

    def _waits(self, role: str) -> str | None:
        """The next failpoint for this role."""
        return next((point for point in self._points if point in _POINTS_OF[role]), None)

    def _ended(self, slot: Slot, process: FaultProcess, now: float) -> None:
        slot.process = None
        slot.due = now + self._chance.uniform(*self.restart)
        if process.died_at_its_point:
            self.happened["killed at a point"] += 1
        elif process.armed:
            self._points.append(process.armed)  # something else came first

    # -- what is done to them

    def _act(self, action: str) -> bool:
        """False: there is nobody for it at the moment."""
        what, _, whom = action.partition(" ")
        match what, whom:
            case ("kill" | "freeze" | "stop", role):
                return self._hit(what, role)
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

    def _hit(self, what: str, role: str) -> bool:
        """Somebody at work, so that it hurts; a poller that stands by has nothing to lose."""
        at_work = [
            slot for slot in self._slots if slot.role == role and not slot.busy and slot.process and self._works(slot.process)
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
                process.ask()
            case "freeze":
                slot.busy = True
                since = self.stack.freeze(process)
                self._later.append(
                    (since + self.session * self._chance.uniform(1.3, 2.0), lambda: self._thaw(slot, process, since))
                )
        return True

    def _works(self, process: FaultProcess) -> bool:
        if process.role == "produce":
            return (
                process.child.alive and '"polling Auth0"' in process.child.text and time.monotonic() - process.child.started > 1.0
            )
        return process.child.alive and self.stack.works(process)

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


def _where_they_are(stack: FaultStack, left: Collection[str], most: int = 5) -> str:
    """Of the first few events that are left: where they stand, the calls for them, and the lines that name them."""
    places: dict[str, list[tuple[int, int]]] = {}
    for place, record in stack.probe.records().items():
        places.setdefault(record.log_id, []).append(place)
    checkpoint, letters = asyncio.run(_stored(stack))
    found = [f"checkpoint {checkpoint}"]
    positions = stack.observer.samples[-1].positions if stack.observer.samples else {}
    for log_id in sorted(left)[:most]:
        in_tenant = stack.log.find(log_id, stack.log.span(time.time()))
        found.append(f"{log_id}, in the tenant: {in_tenant}, at (partition, offset): {places.get(log_id)}")
        found.append(f"  a dead letter: {log_id in letters}")
        found += [f"  committed in {partition}: {positions.get(partition)}" for partition, _ in places.get(log_id, ())]
        calls = (delivery for delivery in stack.receiver.journal.all if delivery.call.log_id == log_id)
        found += [f"  {one.call.arrived_ns / 1e9:.3f} {one.call.path} {one.verdict} {one.status}" for one in calls]
        for process in stack.processes:
            lines = [line for line in process.child.text.splitlines() if log_id in line]
            found += [f"  {process.number} {process.role} (alive: {process.child.alive}): {line}" for line in lines]
    return "\n".join((*found, stack.last_words()))


async def _stored(stack: FaultStack) -> tuple[Checkpoint | None, frozenset[str]]:
    """The checkpoint, and the log ids with a dead letter, read anew."""
    transport = stack.probe.transport()
    try:
        return await transport.checkpoint(), frozenset(found.log_id for found in await chosen(transport, Choice()))
    finally:
        await transport.close()
