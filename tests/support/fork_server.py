"""Starts `auth0-webhooks` in a few milliseconds: a process that has imported everything forks, and the fork becomes the command.

A new interpreter needs 1.5 s of CPU to import the Kafka client, too much for hundreds of kills in a test run. The fork is the
real command: it runs `main()` with its own environment, folder and output, and ends as the interpreter ends; no thread or loop
existed before the fork. `ForkServer` is the tests' side, `python -m tests.support.fork_server` the server.
"""

from __future__ import annotations

import atexit
import importlib
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final

import typer.main

from tests.support.process_guard import guarded

ROOT = Path(__file__).parents[2]
#: What a command must not get from the developer's environment, or the server not have for it: a command buffers its output.
_NOT_INHERITED: Final = ("FAULT_AT", "KAFKA_BOOTSTRAP_SERVERS", "PYTHONUNBUFFERED")
_LONGEST_REQUEST: Final = 1 << 20  # bytes; longer than an environment and arguments of tests
#: What is imported before a fork: ours, and what libraries import only when they are used, half of the CPU of a short command.
_MODULES = (
    "admin.cli.main",
    "admin.cli.app",
    "admin.cli.run_progress",
    "admin.cli.streams",
    "admin.cli.usage",
    "admin.actions.looking.show",
    "admin.actions.looking.status_json",
    "admin.actions.rules.folder",
    "admin.actions.run",
    "admin.compose",
    "admin.compose_rules",
    "admin.compose_transport",
    "admin.supervisor",
    "shared.transport.kafka.transport",
    "shared.transport.kafka.client.preflight",
    "shared.transport.sqlite.transport",
    "anyio._backends._asyncio",
    "certifi",
    "httpcore",
    "rich._emoji_codes",
    "typer._adapters",
    "typer._click.decorators",
    "uvloop",
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
        self._requests, theirs = socket.socketpair(type=socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.support.fork_server"],
                cwd=ROOT,
                stdin=theirs.fileno(),
                stdout=subprocess.PIPE,
                env=guarded({name: os.environ[name] for name in os.environ if name not in _NOT_INHERITED}),
            )
        self._children: dict[int, ForkedProcess] = {}
        self._started: list[int] = []
        self._condition = threading.Condition()
        self._reader = threading.Thread(target=self._read, name="fork server", daemon=True)
        self._reader.start()

    def start(
        self,
        *arguments: str,
        environ: Mapping[str, str],
        folder: Path,
        output: Path,
        stdin: int | None = None,
        stdout: int | None = None,
        stderr: int | None = None,
        patches: Mapping[str, object] | None = None,
        program: str = "admin.cli.main",
    ) -> ForkedProcess:
        """Standard output and standard error go to the file `output` unless a descriptor is named; nothing is to be read.

        `patches`: module constants to set in the child, by dotted name, where a test cannot wait for the real value.
        `program`: another module whose `main()` reads the command line, in place of `auth0-webhooks`.
        """
        request = {"arguments": arguments, "environ": dict(environ), "folder": str(folder), "patches": dict(patches or {})}
        request["program"] = program
        with self._condition, output.open("ab") as file, Path(os.devnull).open("rb") as nothing:
            named = (stdin, nothing), (stdout, file), (stderr, file)
            streams = [default.fileno() if stream is None else stream for stream, default in named]
            socket.send_fds(self._requests, [json.dumps(request).encode()], streams)
            # The first one waits until the server has imported everything: on a busy machine that takes half a minute.
            if not self._condition.wait_for(lambda: self._started, 100):
                raise TimeoutError("the fork server does not respond")
            # Made under the lock: the reader cannot report its exit before it is known here.
            child = ForkedProcess(self._started.pop(0), output)
            self._children[child.pid] = child
            self._condition.notify_all()
        return child

    def close(self) -> None:
        self._requests.close()
        self._process.wait(20)
        self._reader.join(5)
        assert self._process.stdout
        self._process.stdout.close()

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


@cache
def fork_server() -> ForkServer:
    """The one of this test run: starts with its first process, ends with the run."""
    server = ForkServer()
    atexit.register(server.close)
    return server


def run_command(
    *arguments: str, environ: Mapping[str, str], folder: Path, stdout: int | None = None, within: float = 60
) -> subprocess.CompletedProcess[str]:
    """Runs the command to its end. Returns what it wrote, without standard output where a descriptor is given for that."""
    with tempfile.TemporaryDirectory() as kept:
        out, err = Path(kept, "out"), Path(kept, "err")
        with out.open("wb") as file:
            target = file.fileno() if stdout is None else stdout
            started = fork_server().start(*arguments, environ=guarded(environ), folder=folder, output=err, stdout=target)
        try:
            code = started.wait(within)
        finally:
            started.signal(signal.SIGKILL)
        return subprocess.CompletedProcess(arguments, code, out.read_text(), err.read_text())


# -- the server


def _serve() -> dict[str, Any] | None:
    """Forks on request and reports starts and exits. Returns the request in each fork, None in the server at its end."""
    wake_out, wake_in = os.pipe()
    os.set_blocking(wake_in, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.set_wakeup_fd(wake_in, warn_on_full_buffer=False)
    requests = socket.socket(fileno=0)
    selector = selectors.DefaultSelector()
    selector.register(wake_out, selectors.EVENT_READ)
    selector.register(requests, selectors.EVENT_READ)
    running: set[int] = set()
    while True:
        for key, _ in selector.select():
            if key.fd == wake_out:
                os.read(wake_out, 4096)
                _reap(running)
                continue
            data, streams, _, _ = socket.recv_fds(requests, _LONGEST_REQUEST, 3)
            if not data:
                _kill_all(running)
                return None
            pid = os.fork()
            if pid == 0:
                signal.set_wakeup_fd(-1)
                selector.close()
                os.close(wake_in)
                os.close(wake_out)
                requests.detach()
                request: dict[str, Any] = json.loads(data)
                return {**request, "streams": streams}
            for stream in streams:
                os.close(stream)
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
    for standard, stream in enumerate(request["streams"]):
        os.dup2(stream, standard)
        os.close(stream)
    for name, value in request["patches"].items():
        module, _, attribute = name.rpartition(".")
        loaded = importlib.import_module(module)
        assert hasattr(loaded, attribute), name
        setattr(loaded, attribute, value)
    failpoints = importlib.import_module("shared.failpoints")
    importlib.reload(failpoints)  # it reads the environment at its import
    arguments: Sequence[str] = request["arguments"]
    return arguments


def _build_commands_once() -> None:
    """The tree of commands is the same in every child, and costs 50 ms: half of what a short command does."""
    from admin.cli.app import app

    vars(typer.main)["get_command"] = cache(typer.main.get_command)
    typer.main.get_command(app)


def _main() -> None:
    for name in _MODULES:
        importlib.import_module(name)
    _build_commands_once()
    assert threading.active_count() == 1, "a fork would lose the threads that an import has started"
    request = _serve()
    if request is None:
        return
    sys.argv = ["auth0-webhooks", *_apply(request)]
    importlib.import_module(request["program"]).main()


if __name__ == "__main__":
    _main()
