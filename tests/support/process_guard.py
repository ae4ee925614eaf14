"""Parent-death guard: no process that a test or a benchmark starts outlives it, also after SIGKILL, `os._exit` or Ctrl-C.

    subprocess.Popen(command, env=guarded({"PATH": ...}))

The environment gets a mark, which children of children inherit. A guard process reads from a pipe until this process is gone;
then it kills every process that carries the mark and removes the folders that it was told of. A child is guarded from its first
moment. Without `/proc` the guard only removes folders.
"""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Final

MARK: Final = "STARTED_BY_TEST_RUN"
_KILL_TIMEOUT: Final = 20.0  # seconds in which a killed process has to end


def guarded(environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """Returns the environment for a child: `environ` (by default this process's own) with the mark."""
    return {**(os.environ if environ is None else environ), MARK: _guard().mark}


def remove_at_end(folder: Path) -> None:
    """Lets the guard remove the folder if this process has not done so by its end."""
    _guard().tell(folder)


def carriers(mark: str, name: str = MARK) -> list[int]:
    """Returns the processes that were started with this variable."""
    wanted = f"{name}={mark}".encode()
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):  # gone meanwhile, or another user's
            if wanted in path.read_bytes().split(b"\0"):
                found.append(int(path.parent.name))
    return found


class _Guard:
    def __init__(self) -> None:
        self.mark = uuid.uuid4().hex
        # A session and an environment of its own: neither Ctrl-C nor the guard of a run around this one ends it.
        environ = {name: value for name, value in os.environ.items() if name != MARK}
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", __file__, self.mark],
            env=environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )
        atexit.register(self._process.communicate)

    def tell(self, folder: Path) -> None:
        assert self._process.stdin
        self._process.stdin.write(os.fsencode(folder) + b"\n")
        self._process.stdin.flush()


_guard = cache(_Guard)


def _watch(mark: str) -> None:
    folders = [os.fsdecode(line.rstrip(b"\n")) for line in sys.stdin.buffer]
    deadline = time.monotonic() + _KILL_TIMEOUT
    while (found := carriers(mark)) and time.monotonic() < deadline:  # again: a child may have started another meanwhile
        for pid in found:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.02)
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    _watch(sys.argv[1])
