"""Starts `auth0-webhooks` in a few milliseconds: a process that has imported everything forks, and the fork becomes the command.

A new interpreter needs 1.5 s of CPU to import the Kafka client, too much for hundreds of kills in a test run. The fork is the
real command: it runs `main()` with its own environment, folder and output, and ends as the interpreter ends; no thread or loop
existed before the fork. `ForkServer` is the tests' side, `python -m tests.support.fork_server` the server.
"""

from __future__ import annotations

import importlib
import json
import os
import selectors
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from tests.support.process_guard import guarded

ROOT = Path(__file__).parents[2]
#: What is imported before a fork.
_MODULES = (
    "admin.cli.main",
    "admin.actions.run",
    "admin.compose",
    "admin.compose_rules",
    "admin.supervisor",
    "shared.transport.kafka.transport",
    "shared.transport.kafka.client.preflight",
    "shared.transport.sqlite.transport",
)


@dataclass(slots=True)
class ForkedProcess:
    """One `auth0-webhooks`. `ended` and `code` are written by the server's reader thread."""

    pid: int
    output: Path
    started: float = field(default_factory=time.monotonic)
    #: By `time.monotonic`; None while it runs.
    ended: float | None = None
    #: As of `subprocess`: negative for a signal.
    code: int | None = None
    _exited: threading.Event = field(default_factory=threading.Event)

    @property
    def alive(self) -> bool:
        return self.code is None

    @property
    def text(self) -> str:
        return self.output.read_text(errors="replace")

    def signal(self, number: int) -> None:
        """Does nothing if it has ended, also if the server has not reported that yet."""
        if self.alive:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def wait(self, within: float) -> int:
        """Waits for its end. Returns the exit code. Raises TimeoutError with its log."""
        if not self._exited.wait(within):
            raise TimeoutError(f"process {self.pid} did not end within {within:g} s:\n{self.text[-4000:]}")
        assert self.code is not None
        return self.code

    def on_exit(self, code: int) -> None:
        self.ended, self.code = time.monotonic(), code
        self._exited.set()


class ForkServer:
    """`close` kills every process that still runs."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.fork_server"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=guarded({name: os.environ[name] for name in os.environ if name not in ("FAULT_AT", "KAFKA_BOOTSTRAP_SERVERS")}),
        )
        self._children: dict[int, ForkedProcess] = {}
        self._started: list[int] = []
        self._condition = threading.Condition()
        self._reader = threading.Thread(target=self._read, name="fork server", daemon=True)
        self._reader.start()

    def start(
        self, *arguments: str, environ: Mapping[str, str], folder: Path, output: Path, patches: Mapping[str, object] | None = None
    ) -> ForkedProcess:
        """`patches`: module constants to set in the child, by dotted name, where a test cannot wait for the real value."""
        request = {
            "arguments": arguments,
            "environ": dict(environ),
            "folder": str(folder),
            "output": str(output),
            "patches": dict(patches or {}),
        }
        output.touch()
        with self._condition:
            self._stdin.write(json.dumps(request).encode() + b"\n")
            self._stdin.flush()
            # The first one waits until the server has imported everything: on a busy machine that takes half a minute.
            if not self._condition.wait_for(lambda: self._started, 100):
                raise TimeoutError("the fork server does not respond")
            # Made under the lock: the reader cannot report its exit before it is known here.
            child = ForkedProcess(self._started.pop(0), output)
            self._children[child.pid] = child
            self._condition.notify_all()
        return child

    def close(self) -> None:
        self._stdin.close()
        self._process.wait(20)
        self._reader.join(5)
        assert self._process.stdout
        self._process.stdout.close()

    @property
    def _stdin(self) -> IO[bytes]:
        assert self._process.stdin
        return self._process.stdin

    def _read(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            word, *numbers = line.split()
            with self._condition:
                if word == b"started":
                    self._started.append(int(numbers[0]))
                    self._condition.notify_all()
                    # `start` has to take it first: the next line may be its exit.
                    self._condition.wait_for(lambda: not self._started, 5)
                else:
                    self._children[int(numbers[0])].on_exit(int(numbers[1]))


# -- the server


def _serve() -> dict[str, Any] | None:
    """Forks on request and reports starts and exits. Returns the request in each fork, None in the server at its end."""
    wake_out, wake_in = os.pipe()
    os.set_blocking(wake_in, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.set_wakeup_fd(wake_in, warn_on_full_buffer=False)
    selector = selectors.DefaultSelector()
    selector.register(wake_out, selectors.EVENT_READ)
    selector.register(0, selectors.EVENT_READ)
    running: set[int] = set()
    buffer = b""
    while True:
        for key, _ in selector.select():
            if key.fd == wake_out:
                os.read(wake_out, 4096)
                _reap(running)
                continue
            data = os.read(0, 65536)
            if not data:
                _kill_all(running)
                return None
            *lines, buffer = (buffer + data).split(b"\n")
            for line in lines:
                pid = os.fork()
                if pid == 0:
                    signal.set_wakeup_fd(-1)
                    selector.close()
                    os.close(wake_in)
                    os.close(wake_out)
                    request: dict[str, Any] = json.loads(line)
                    return request
                running.add(pid)
                _write(f"started {pid}")


def _reap(running: set[int]) -> None:
    while running:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == 0:
            return
        running.discard(pid)
        _write(f"exited {pid} {os.waitstatus_to_exitcode(status)}")


def _kill_all(running: set[int]) -> None:
    for pid in running:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def _write(line: str) -> None:
    os.write(1, line.encode() + b"\n")


def _apply(request: Mapping[str, Any]) -> Sequence[str]:
    """Sets up this process as the request demands. Returns the command line."""
    for number in (signal.SIGCHLD, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.clear()
    os.environ.update(request["environ"])
    os.chdir(request["folder"])
    nothing = os.open(os.devnull, os.O_RDONLY)
    output = os.open(request["output"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    for ours, standard in ((nothing, 0), (output, 1), (output, 2)):
        os.dup2(ours, standard)
    os.close(nothing)
    os.close(output)
    for name, value in request["patches"].items():
        module, _, attribute = name.rpartition(".")
        loaded = importlib.import_module(module)
        assert hasattr(loaded, attribute), name
        setattr(loaded, attribute, value)
    failpoints = importlib.import_module("shared.failpoints")
    importlib.reload(failpoints)  # it reads the environment at its import
    arguments: Sequence[str] = request["arguments"]
    return arguments


def _main() -> None:
    for name in _MODULES:
        importlib.import_module(name)
    assert threading.active_count() == 1, "a fork would lose the threads that an import has started"
    request = _serve()
    if request is None:
        return
    sys.argv = ["auth0-webhooks", *_apply(request)]
    from admin.cli.main import main

    main()


if __name__ == "__main__":
    _main()
