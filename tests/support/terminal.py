"""A process in a terminal of its own: what it prints arrives as on a screen, and keys reach it as signals do."""

from __future__ import annotations

import errno
import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.support.process_guard import guarded

CTRL_C = b"\x03"
_CONTROL = re.compile(rb"\x1b\[[0-9;?]*[A-Za-z]")


class Terminal:
    """The process leads the foreground group, as one that is typed at a prompt."""

    def __init__(
        self, command: Sequence[str], *, folder: Path, environ: Mapping[str, str], columns: int = 80, rows: int = 24
    ) -> None:
        self._fd, child = pty.openpty()
        fcntl.ioctl(child, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self._process = subprocess.Popen(
            command,
            cwd=folder,
            env=guarded({"TERM": "xterm-256color", **environ}),
            stdin=child,
            stdout=child,
            stderr=child,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        os.close(child)
        self._raw = b""

    @property
    def text(self) -> str:
        """All that was printed, without what moves the cursor or colours."""
        return _CONTROL.sub(b"", self._raw).replace(b"\r", b"").decode()

    @property
    def rows(self) -> list[str]:
        """What stays on the screen: without the rows that were erased."""
        rows = (row.rpartition(b"\r\x1b[K")[2] for row in self._raw.split(b"\n"))
        return [_CONTROL.sub(b"", row).replace(b"\r", b"").decode() for row in rows]

    def press(self, key: bytes) -> None:
        os.write(self._fd, key)

    def wait_for(self, words: str, *, within: float = 60) -> None:
        """Waits until they are on the screen. Raises `TimeoutError` with all that was printed."""
        deadline = time.monotonic() + within
        while words not in self.text:
            if not self._read(deadline):
                raise TimeoutError(f"{words!r} not in:\n{self.text}")

    def wait(self, *, within: float = 60) -> int:
        """Waits for the end. Returns the exit code, negative for a signal. Raises `TimeoutError`."""
        deadline = time.monotonic() + within
        while self._read(deadline):
            pass
        if time.monotonic() > deadline:
            self._process.kill()
            raise TimeoutError(self.text)
        os.close(self._fd)
        return self._process.wait(within)

    def kill(self) -> None:
        """Idempotent."""
        self._process.kill()
        self._process.wait()

    def _read(self, deadline: float) -> bool:
        """Returns False at the end of the process or of the time."""
        if not select.select([self._fd], [], [], max(0.0, deadline - time.monotonic()))[0]:
            return False
        try:
            data = os.read(self._fd, 65536)
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            return False
        self._raw += data
        return bool(data)
