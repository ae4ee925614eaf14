"""Processes under measurement: started with an environment of their own, observed through /proc, stopped by us."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.support.process_guard import guarded

ROOT: Final = Path(__file__).parents[1]
COMMAND: Final = (sys.executable, "-c", "from admin.cli.main import main; main()")
_KEPT: Final = ("PATH", "HOME", "LANG", "TMPDIR")
_TICKS: Final = os.sysconf("SC_CLK_TCK")


class MeasuredProcess:
    """One process; its output goes to a file."""

    def __init__(self, command: Sequence[str], folder: Path, environ: Mapping[str, str], *, name: str) -> None:
        self.output = folder / f"{name}.log"
        kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
        with self.output.open("wb") as output:
            self._popen = subprocess.Popen(
                command,
                cwd=folder,
                env=guarded({**kept, "PYTHONPATH": str(ROOT), **environ}),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )

    @property
    def pid(self) -> int:
        return self._popen.pid

    @property
    def alive(self) -> bool:
        return self._popen.poll() is None

    @property
    def text(self) -> str:
        return self.output.read_text()

    @property
    def cpu(self) -> float:
        """Seconds of CPU so far, of it and its children (rule processes), in user and kernel mode; in steps of 10 ms."""
        return sum(_cpu(pid) for pid in (self.pid, *self._children()))

    @property
    def rss(self) -> float:
        """Resident memory, in MB."""
        return self._status("VmRSS")

    @property
    def rss_most(self) -> float:
        """The maximum so far, in MB."""
        return self._status("VmHWM")

    def line(self, beginning: str, *, within: float = 30) -> str:
        """Waits for a line of its output that begins like this. Raises TimeoutError with the output."""
        deadline = time.monotonic() + within
        while True:
            for line in self.text.splitlines():
                if line.startswith(beginning):
                    return line
            if time.monotonic() > deadline or not self.alive:
                raise TimeoutError(f"no {beginning!r} in:\n{self.text[-3000:]}")
            time.sleep(0.02)

    def wait_for(self, words: str, *, within: float = 40) -> None:
        """Waits until its output contains the words. Raises TimeoutError with the output."""
        deadline = time.monotonic() + within
        while words not in self.text:
            if time.monotonic() > deadline or not self.alive:
                raise TimeoutError(f"{words!r} not in:\n{self.text[-3000:]}")
            time.sleep(0.05)

    def wait(self, within: float = 600) -> None:
        """Waits for its end. Raises RuntimeError with the output if it failed."""
        if self._popen.wait(within):
            raise RuntimeError(self.text[-3000:])

    def stop(self) -> None:
        """Send SIGTERM, and SIGKILL after ten seconds. Idempotent."""
        if self.alive:
            self._popen.send_signal(signal.SIGTERM)
            try:
                self._popen.wait(10)
            except subprocess.TimeoutExpired:
                self._popen.kill()
                self._popen.wait()

    def _children(self) -> list[int]:
        return [
            int(pid) for thread in Path(f"/proc/{self.pid}/task").iterdir() for pid in (thread / "children").read_text().split()
        ]

    def _status(self, name: str) -> float:
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith(f"{name}:"):
                return int(line.split()[1]) / 1024
        raise KeyError(name)


def _cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


@contextmanager
def running(command: Sequence[str], folder: Path, environ: Mapping[str, str], *, name: str) -> Iterator[MeasuredProcess]:
    process = MeasuredProcess(command, folder, environ, name=name)
    try:
        yield process
    finally:
        process.stop()


def module(name: str, *arguments: object) -> list[str]:
    """Returns the command line of one of our own modules."""
    return [sys.executable, "-m", name, *map(str, arguments)]
