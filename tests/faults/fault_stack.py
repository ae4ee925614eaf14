"""The product between a simulated tenant and a receiver: real processes on a real log, and what the oracle needs to know."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from shared import failpoints
from shared.event import slice_page
from simulator.entries import Entries
from simulator.journal import JournalEntry
from simulator.rate_limit import RatePlan
from simulator.receiver import Receiver
from simulator.tenant import Tenant
from simulator.tokens import Application
from tests.faults.log_probe import LogProbe
from tests.faults.sampler import UsageSampler, sampling
from tests.support.background import in_background, run_on
from tests.support.fork_server import ForkedProcess, ForkServer
from tests.support.listed_log import ListedLog
from tests.support.position_observer import PositionObserver, watching

#: Texts that must never be seen in any log.
CANARIES: Final = (
    "canary-client-secret",
    "canary-authorization",
    "Y2FuYXJ5LXNpZ25pbmctc2VjcmV0LXRvZGF5",
    "Y2FuYXJ5LXNpZ25pbmctc2VjcmV0LWJlZm9yZQ",
    "canary-header",
    "canary-query",
    "simulated-token-",
)
#: Types that pass the filter only if LOG_TYPES names them.
_NOT_ASKED_FOR: Final = frozenset({"sapi", "fapi", "mgmt_api_read"})
_KEPT: Final = ("PATH", "HOME", "LANG", "TMPDIR", "PYTHONPATH")
#: A tenant that never limits the rate: 100 times the pages of a real one.
_GENEROUS: Final = RatePlan(burst=1_000, per_second=400.0)
#: Durations that no setting shortens.
_COMPRESSED: Final = {"admin.compose._LONGEST_PROBE_INTERVAL": 1.0}


@dataclass(slots=True)
class FaultProcess:
    """One `auth0-webhooks`, and what was done to it."""

    number: int
    role: str
    child: ForkedProcess
    #: Its failpoint, without the number of passes.
    armed: str | None
    #: When it was killed from outside, by `time.monotonic`.
    killed: float | None = None
    #: When it got SIGTERM.
    terminated: float | None = None
    #: When it was frozen, from and to.
    frozen: list[tuple[float, float]] = field(default_factory=list)

    @property
    def path(self) -> str:
        """The path of its calls, by which the receiver tells processes apart."""
        return f"/hook/{self.number}"

    @property
    def died_at_its_point(self) -> bool:
        return self.child.code == -signal.SIGKILL and self.killed is None and f"killed at {self.armed}\n" in self.child.text

    def kill(self) -> None:
        self.killed = time.monotonic()
        self.child.signal(signal.SIGKILL)
        self.child.wait(10)

    def terminate(self) -> None:
        """Sends SIGTERM, once: a second one would end it in the middle of its drain."""
        if self.terminated is None:
            self.terminated = time.monotonic()
            self.child.signal(signal.SIGTERM)

    def stop(self, within: float = 40) -> int:
        self.terminate()
        return self.child.wait(within)

    def lines(self) -> Iterator[dict[str, Any]]:
        """Yields the lines of its log that are JSON objects."""
        for line in self.child.text.splitlines():
            try:
                found = json.loads(line)
            except ValueError:
                continue
            if isinstance(found, dict):
                yield found

    def wait_for_log(self, words: str, *, within: float = 20) -> None:
        """Waits until its log holds these words. Raises TimeoutError with the log."""
        deadline = time.monotonic() + within
        while words not in self.child.text:
            if time.monotonic() > deadline or not self.child.alive:
                raise TimeoutError(f"{words!r} not in:\n{self.child.text[-6000:]}")
            time.sleep(0.02)

    def counts(self, loop: str) -> Mapping[str, Any]:
        """Returns its `stopped` line for `loop` (worker, poller)."""
        (line,) = [line for line in self.lines() if line["event"] == "stopped" and line["loop"] == loop]
        return line


@dataclass(slots=True)
class FaultStack:
    probe: LogProbe
    folder: Path
    seed: int
    tenant: Tenant
    receiver: Receiver
    #: The target of redirects.
    elsewhere: Receiver
    fork_server: ForkServer
    log: ListedLog
    observer: PositionObserver
    sampler: UsageSampler
    settings: Mapping[str, str]
    processes: list[FaultProcess]
    #: When the last response was sent, by the path of the call.
    last_calls: Mapping[str, float]
    #: The JSON of every event of the tenant that passes the filter, by log id.
    expected: dict[str, bytes] = field(default_factory=dict)
    fed: int = 0
    _entries: Entries = field(init=False)

    def __post_init__(self) -> None:
        self._entries = Entries(seed=self.seed, edge_cases=0.05)

    def feed(self, count: int) -> None:
        """Adds so many events to the tenant's log."""
        for _ in range(count):
            self._add(self._entries.raw(self.fed, datetime.now(UTC)))

    def feed_logins(self, users: Iterable[str]) -> list[str]:
        """Adds a login of each of these to the tenant's log. Returns the log ids."""
        return [self._add(self._entries.of_type("s", self.fed, datetime.now(UTC), user_id=user)) for user in users]

    def _add(self, raw: bytes) -> str:
        self.fed += 1
        log_id = self.log.append(raw)
        (event,) = slice_page(b"[" + raw + b"]")
        if event.type not in _NOT_ASKED_FOR:
            self.expected[log_id] = raw
        if event.user_id:
            self.tenant.users.by_id.setdefault(event.user_id, {"user_id": event.user_id, "app_metadata": {"plan": "x"}})
        return log_id

    @property
    def with_rules(self) -> bool:
        return "RULES_DIR" in self.settings

    def start(
        self, *arguments: str, fault_at: str | None = None, patches: Mapping[str, object] | None = None, **settings: str
    ) -> FaultProcess:
        number = len(self.processes)
        environ = {
            **{name: os.environ[name] for name in _KEPT if name in os.environ},
            "AUTH0_DOMAIN": self.tenant.url,
            "AUTH0_CLIENT_ID": "client",
            "AUTH0_CLIENT_SECRET": CANARIES[0],
            "POLL_INTERVAL": "0.1",
            "BATCH_SIZE": "10",  # so that pages are full, and the next one is fetched ahead
            "WEBHOOK_URL": f"{self.receiver.url}/hook/{number}?key={CANARIES[5]}",
            "AUTHORIZATION": f"Bearer {CANARIES[1]}",
            "WEBHOOK_SECRET": f"whsec_{CANARIES[2]}",
            "WEBHOOK_SECRET_PREVIOUS": f"whsec_{CANARIES[3]}==",
            "WEBHOOK_HEADERS": json.dumps({"x-key": CANARIES[4]}),
            "WEBHOOK_TIMEOUT": "0.6",
            "WEBHOOK_BACKOFF_BASE": "0.02",
            "WEBHOOK_BACKOFF_CAP": "0.3",
            "WEBHOOK_PROBE_INTERVAL": "0.2",
            "COMMIT_INTERVAL": "0.2",
            "DRAIN_TIMEOUT": "2",
            "STOP_GRACE": "15",
            "LOG_FORMAT": "json",
            **self.probe.environ,
            **self.settings,
            **settings,
            **({failpoints.VARIABLE: fault_at} if fault_at else {}),
        }
        child = self.fork_server.start(
            *arguments,
            environ=environ,
            folder=self.folder,
            output=self.folder / f"{number}.log",
            patches={**_COMPRESSED, **(patches or {})},
        )
        process = FaultProcess(number, arguments[0], child, fault_at.partition(":")[0] if fault_at else None)
        self.processes.append(process)
        return process

    @property
    def running(self) -> Sequence[FaultProcess]:
        return [process for process in self.processes if process.child.alive]

    def freeze(self, process: FaultProcess) -> float:
        """Sends SIGSTOP. Returns the time for `thaw`."""
        process.child.signal(signal.SIGSTOP)
        return time.monotonic()

    def thaw(self, process: FaultProcess, since: float) -> None:
        process.child.signal(signal.SIGCONT)
        process.frozen.append((since, time.monotonic()))

    def wait_delivered(self, count: int, *, within: float = 60) -> None:
        """Waits until so many different events got a 200. Raises TimeoutError with the last output of the processes."""
        try:
            run_on(self.receiver, self.receiver.journal.wait_for(count, timeout=within))
        except TimeoutError as error:
            raise TimeoutError(f"{error}\n{self.last_output()}") from None

    def wait_all_delivered(self, *, within: float) -> None:
        """Waits until every event that passes the filter got a 200, whole or not. Raises TimeoutError like `until`."""
        self.until(lambda: self.receiver.journal.maybe_delivered >= self.expected.keys(), "all events", within=within)

    def until(self, condition: Callable[[], bool], what: str, *, within: float = 30, every: float = 0.02) -> None:
        """`every`: seconds between two looks. The tenant and the receivers run in this process: what is costly holds them up."""
        deadline = time.monotonic() + within
        while not condition():
            if time.monotonic() > deadline:
                raise TimeoutError(f"{what}: not within {within:g} s\n{self.last_output()}")
            time.sleep(every)

    def is_calling(self, process: FaultProcess, seconds: float = 0.5) -> bool:
        """Whether a call of this process got a response within the last `seconds`."""
        return time.monotonic() - self.last_calls.get(process.path, 0.0) < seconds

    def last_output(self) -> str:
        return "\n".join(f"--- {process.number} {process.role}\n{process.child.text[-1500:]}" for process in self.processes[-6:])

    def stop_all(self, within: float = 40) -> dict[int, int]:
        """Sends SIGTERM to all at once. Returns the exit codes by process number."""
        processes = self.running
        for process in processes:
            process.terminate()
        return {process.number: process.child.wait(within) for process in processes}

    def secrets_shown(self) -> list[str]:
        return [
            f"{canary} in {process.number}.log"
            for process in self.processes
            for canary in CANARIES
            if canary in process.child.text
        ]


@contextmanager
def fault_stack(
    probe: LogProbe, folder: Path, seed: int, *, fork_server: ForkServer | None = None, **settings: str
) -> Iterator[FaultStack]:
    log = ListedLog()
    application = Application(client_id="client", client_secret=CANARIES[0], scope="read:logs read:users")
    tenant = Tenant(log, application=application, plan=_GENEROUS, seed=seed)
    processes: list[FaultProcess] = []
    last_calls: dict[str, float] = {}

    def record(delivery: JournalEntry) -> None:
        last_calls[delivery.call.path] = time.monotonic()

    with ExitStack() as exits:
        if fork_server is None:
            fork_server = ForkServer()
            exits.callback(fork_server.close)
        receiver, elsewhere = Receiver(seed=seed, on_entry=record), Receiver()
        exits.enter_context(in_background(tenant, receiver, elsewhere))
        exits.callback(_kill_all, processes)
        sampler = exits.enter_context(sampling(lambda: [process.child for process in tuple(processes) if process.child.alive]))
        exits.callback(probe.close)
        observer = exits.enter_context(watching(probe.transport, receiver.journal, probe.dead_letters))
        yield FaultStack(
            probe, folder, seed, tenant, receiver, elsewhere, fork_server, log, observer, sampler, settings, processes, last_calls
        )


def _kill_all(processes: Sequence[FaultProcess]) -> None:
    for process in processes:
        if process.child.alive:
            process.child.signal(signal.SIGCONT)
            process.kill()


def chance(seed: int, name: str) -> random.Random:
    return random.Random(f"{seed}/{name}")
