"""A broker does not outlive the test run that started it, even one that was killed."""

from __future__ import annotations

import subprocess
from pathlib import Path


class Leash:
    """Kills a process and removes its folder when we are gone, however we ended: a shell that notices the end of its input."""

    def __init__(self, pid: int, folder: Path) -> None:
        script = 'read released || { kill -9 "$1"; rm -rf "$2"; }'
        command = ["sh", "-c", script, "leash", str(pid), str(folder)]
        self._shell = subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True)

    def release(self) -> None:
        self._shell.communicate(b"released\n")
