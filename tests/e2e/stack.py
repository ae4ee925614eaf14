"""The command as a process of its own, between a simulated tenant and a receiver.

A process is forked from one that has imported everything (`tests/support/fork_server.py`); where a test sets something that the
interpreter reads as it starts, or a command in front of ours, it is the installed command.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from simulator.receiver import Receiver
from simulator.tenant import Tenant
from simulator.tenant_log import TenantLog
from simulator.tokens import Application
from tests.support.background import in_background, run_on
from tests.support.fork_server import ForkedProcess, fork_server
from tests.support.listed_log import ListedLog
from tests.support.process_guard import guarded

DATA = Path(__file__).parents[1] / "data"
COMMAND = str(Path(sys.executable).with_name("auth0-webhooks"))
SECRET = "canary-client-secret"
#: Not inherited: a test's environment must not depend on the developer's.
_KEPT = ("PATH", "HOME", "LANG", "TMPDIR", "PYTHONPATH")


@dataclass(slots=True)
class Process:
    """One `auth0-webhooks`; its log goes to a file, so that no pipe can fill up."""

    _process: ForkedProcess | subprocess.Popen[bytes]
    output: Path

    @property
    def pid(self) -> int:
        return self._process.pid

    def send(self, number: int) -> None:
        if isinstance(self._process, ForkedProcess):
            self._process.signal(number)
        else:
            self._process.send_signal(number)

    def stop(self, number: int = signal.SIGTERM, *, within: float = 30) -> int:
        """Sends a signal and waits. Returns the exit code."""
        self.send(number)
        return self._process.wait(within)

    def wait(self, within: float = 60) -> int:
        return self._process.wait(within)

    def kill(self) -> None:
        self.send(signal.SIGKILL)
        self._process.wait(60)

    @property
    def alive(self) -> bool:
        return self._process.alive if isinstance(self._process, ForkedProcess) else self._process.poll() is None

    @property
    def text(self) -> str:
        return self.output.read_text()

    def wait_for_log(self, words: str, *, within: float = 60) -> None:
        """Waits until its log holds these words. Raises TimeoutError with the log."""
        deadline = time.monotonic() + within
        while words not in self.text:
            if time.monotonic() > deadline or not self.alive:
                raise TimeoutError(f"{words!r} not in:\n{self.text}")
            time.sleep(0.02)


@dataclass(slots=True)
class Stack:
    tenant: Tenant
    receiver: Receiver
    folder: Path
    #: Settings that name the log.
    log_environ: Mapping[str, str]
    #: A command that starts ours, for instance with fewer rights.
    prefix: tuple[str, ...] = ()
    processes: list[Process] = field(default_factory=list)

    def environ(self, **settings: str) -> dict[str, str]:
        kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
        ours = {
            "AUTH0_DOMAIN": self.tenant.url,
            "AUTH0_CLIENT_ID": "client",
            "AUTH0_CLIENT_SECRET": SECRET,
            "POLL_INTERVAL": "0.2",
            "WEBHOOK_URL": f"{self.receiver.url}/hook",
            "WEBHOOK_BACKOFF_BASE": "0.05",
            "WEBHOOK_BACKOFF_CAP": "0.3",
            "COMMIT_INTERVAL": "0.1",
            "VERBOSITY": "debug",
        }
        return {**kept, **ours, **self.log_environ, **settings}

    def start(self, *arguments: str, **settings: str) -> Process:
        """Starts the command. A setting of "" is left out of its environment."""
        output = self.folder / f"process-{len(self.processes)}.log"
        environ = {name: value for name, value in self.environ(**settings).items() if value}
        started: ForkedProcess | subprocess.Popen[bytes]
        if self.prefix or any(name.startswith("PYTHON") for name in settings):
            with output.open("wb") as file:
                started = subprocess.Popen(
                    [*self.prefix, COMMAND, *arguments],
                    cwd=self.folder,
                    env=guarded(environ),
                    stdin=subprocess.DEVNULL,
                    stdout=file,
                    stderr=file,
                )
        else:
            started = fork_server().start(*arguments, environ=guarded(environ), folder=self.folder, output=output)
        process = Process(started, output)
        self.processes.append(process)
        return process

    def wait_delivered(self, count: int, *, within: float = 30) -> None:
        """Waits until so many different events got a 200. Raises TimeoutError."""
        run_on(self.receiver, self.receiver.journal.wait_for(count, timeout=within))

    def until(self, condition: Callable[[], bool], *, within: float = 60, every: float = 0.02) -> None:
        """Waits until the condition holds. Raises TimeoutError. `every`: seconds between two looks."""
        deadline = time.monotonic() + within
        while not condition():
            if time.monotonic() > deadline:
                raise TimeoutError("\n".join(process.text for process in self.processes))
            time.sleep(every)

    def until_shown(self, condition: Callable[[], bool]) -> None:
        """The same for a condition that runs a command: one after the other would keep a processor busy."""
        self.until(condition, every=0.3)

    def stop_all(self) -> None:
        for process in self.processes:
            if process.alive:
                process.kill()


def ends(process: Process, code: int = 0) -> str:
    """Waits for its end with that exit code. Returns what it printed."""
    assert process.wait() == code, process.text
    assert "Traceback" not in process.text
    return process.text


@contextmanager
def stacked(folder: Path, log_environ: Mapping[str, str], log: TenantLog | None = None) -> Iterator[Stack]:
    tenant = Tenant(log or ListedLog(), application=Application(client_id="client", client_secret=SECRET))
    with in_background(tenant, Receiver()) as (tenant, receiver):
        stack = Stack(tenant, receiver, folder, log_environ)
        try:
            yield stack
        finally:
            stack.stop_all()


def samples() -> list[bytes]:
    """Returns the 500 sample events, and the example of the original documentation."""
    return [*(DATA / "sample-events.jsonl").read_bytes().splitlines(), (DATA / "seed-event.json").read_bytes().strip()]


def simple(numbers: Sequence[int], *, users: int = 9) -> list[bytes]:
    """Returns small logins of some users, in the order of their ids."""
    rest = '"type":"s","date":"2026-11-20T00:00:00.000Z"'
    return [f'{{"log_id":"900{number:053d}",{rest},"user_id":"auth0|{number % users}"}}'.encode() for number in numbers]
