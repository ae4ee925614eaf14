"""A program of the tests as a process of its own, without the CPU that a new interpreter needs to import the Kafka client."""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TextIO

from tests.support.fork_server import ForkedProcess, fork_server
from tests.support.process_guard import guarded


class ForkedProgram:
    """The `main()` of a module; a test writes to its standard input and reads its standard output, by lines."""

    def __init__(self, module: str, *arguments: str, environ: Mapping[str, str]) -> None:
        self._kept = tempfile.TemporaryDirectory()
        folder = Path(self._kept.name)
        theirs_in, ours_in = os.pipe()
        ours_out, theirs_out = os.pipe()
        self.stdin: TextIO = os.fdopen(ours_in, "w")
        self.stdout: TextIO = os.fdopen(ours_out)
        try:
            self._process: ForkedProcess = fork_server().start(
                *arguments,
                environ=guarded(environ),
                folder=folder,
                output=folder / "stderr",
                stdin=theirs_in,
                stdout=theirs_out,
                program=module,
            )
        finally:
            os.close(theirs_in)
            os.close(theirs_out)

    def line(self) -> str:
        """Waits for the next line. Returns it without its end; "" once there is none any more."""
        return self.stdout.readline().strip()

    def order(self, line: str) -> None:
        print(line, file=self.stdin, flush=True)

    def signal(self, number: int) -> None:
        self._process.signal(number)

    def wait(self) -> int:
        """Reads all that it still prints, and waits for its end. Returns the exit code, negative for a signal."""
        self.stdout.read()
        return self._process.wait(60)

    def kill(self) -> int:
        """Returns the exit code: another one than -9 if it had ended already."""
        self.signal(signal.SIGKILL)
        return self.wait()

    def close(self) -> None:
        self.kill()
        self.stdin.close()
        self.stdout.close()
        self._kept.cleanup()
