"""One rule process: started under limits, spoken to in frames, killed by its number. The language of its rules is not known here.

Each has a thread of its own that starts it, reads what it prints, and waits for its end: the kernel's promise to kill the process
with its parent holds for the *thread* that started it, so that thread lives as long as the process. All else runs in the loop.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final, Self, cast

from rules.processes import launcher
from rules.processes.protocol import FrameBroken, FrameReader, encode
from shared.logging import get_logger
from shared.masking import excerpt

#: What a rule may map, in bytes. Buffers are outside of V8's heap; 1 GiB is too little for Node.js 24 to start.
ADDRESS_SPACE: Final = 2 * 1024**3
_LINUX: Final = sys.platform == "linux"
ADDRESS_SPACE_LIMIT: Final = ADDRESS_SPACE if _LINUX else None
#: glibc reserves 128 MB for each thread that allocates. Near the limit it tries that again at every allocation of a thread: a
#: `pbkdf2` of Node.js 20 took forty times as long.
_ALLOCATOR: Final = {"MALLOC_ARENA_MAX": "1"}
_WATCHDOG_EVERY: Final = 1.0  # seconds
_LINE_CAP: Final = 500  # characters of a printed line that are logged
_LINES_CAP: Final = 20  # printed lines that are logged, of one process

log = get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessCommand:
    """How to start a rule process. The number of its descriptor is put behind `arguments`."""

    arguments: Sequence[str]
    environ: Mapping[str, str]
    folder: Path
    #: In bytes; None where the platform does not limit it.
    address_space: int | None = ADDRESS_SPACE_LIMIT
    #: What this interpreter or platform does not limit, a line each.
    unlimited: Sequence[str] = ()
    #: Seconds between two looks of a watchdog; None: the kernel ends it with its parent.
    watchdog: float | None = None if _LINUX else _WATCHDOG_EVERY

    @property
    def gone(self) -> str:
        """Why it cannot start, in words, where the interpreter was removed since it was found; else empty."""
        interpreter = self.arguments[0]
        return "" if os.access(interpreter, os.X_OK) else f"{interpreter} is gone, or may not be executed"


class RuleProcess(asyncio.Protocol):
    """`on_message` gets every message; `on_end` is called once, with the reason, when nothing comes any more."""

    def __init__(self, on_message: Callable[[dict[str, Any]], None], on_end: Callable[[str], None]) -> None:
        self.pid = 0
        #: Why it ended, in words; None while it runs.
        self.ended: str | None = None
        #: Done when the process is gone and waited for.
        self.gone: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._reader = FrameReader()
        self._on_message, self._on_end = on_message, on_end
        self._popen: subprocess.Popen[bytes] | None = None
        self._transport: asyncio.Transport | None = None
        self._reason = ""

    @classmethod
    async def start(
        cls, command: ProcessCommand, *, on_message: Callable[[dict[str, Any]], None], on_end: Callable[[str], None]
    ) -> Self:
        """Returns the process as soon as it runs. Raises `OSError`."""
        loop, process = asyncio.get_running_loop(), cls(on_message, on_end)
        ours, theirs = socket.socketpair()
        started: asyncio.Future[subprocess.Popen[bytes]] = loop.create_future()
        thread = threading.Thread(
            target=_live, args=(command, theirs, loop, started, process.gone), daemon=True, name="rule process"
        )
        thread.start()
        try:
            process._popen = await asyncio.shield(started)
        except BaseException:
            ours.close()  # a process that is under way reads the end of its socket
            raise
        process.pid = process._popen.pid
        process.gone.add_done_callback(process._exited)
        await loop.create_unix_connection(lambda: process, sock=ours)
        return process

    def send(self, message: Mapping[str, Any]) -> None:
        """Send a message; nothing happens if the process has ended. Raises `ValueError` for what JSON cannot say."""
        frame = encode(message)
        # Its socket may be closed some moments before its end is reported.
        if self._transport is not None and self.ended is None and not self._transport.is_closing():
            self._transport.write(frame)

    def kill(self, reason: str) -> None:
        """End it at once. `reason` is what its runs are told."""
        if self.ended is None:
            self._reason = self._reason or reason
            self._end()
        if self._popen is not None and not self.gone.done():
            self._popen.kill()

    async def close(self) -> None:
        """Kill it and wait until it is gone."""
        self.kill("closed")
        await asyncio.shield(self.gone)

    # Called by the transport.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        try:
            for message in self._reader.feed(data):
                if self.ended is not None:
                    return
                self._on_message(message)
        except FrameBroken as error:
            self.kill(f"it sent {error}")

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        if self.ended is None and not self.gone.done():
            self._reason = self._reason or "it closed its socket"
            # Its exit code, if it comes, says more.
            asyncio.get_running_loop().call_later(0.2, self.kill, self._reason)

    def _exited(self, gone: asyncio.Future[int]) -> None:
        if self.ended is None:
            self._reason = exit_words(gone.result())
            self._end()

    def _end(self) -> None:
        self.ended = self._reason
        if self._transport is not None:
            self._transport.abort()
        self._on_end(self.ended)


def exit_words(code: int) -> str:
    """Returns what an exit code says: `it was ended by SIGABRT`, `it exited with 3`."""
    if code >= 0:
        return f"it exited with {code}"
    with suppress(ValueError):
        return f"it was ended by {signal.Signals(-code).name}"
    return f"it was ended by signal {-code}"


def _live(
    command: ProcessCommand,
    theirs: socket.socket,
    loop: asyncio.AbstractEventLoop,
    started: asyncio.Future[subprocess.Popen[bytes]],
    gone: asyncio.Future[int],
) -> None:
    """The thread of one process: its start, what it prints, its end."""
    try:
        with theirs:
            popen = _popen(command, theirs.fileno())
    except BaseException as error:  # noqa: BLE001  the one who waits for it gets it
        _tell(loop, started, error=error)
        return
    _tell(loop, started, popen)
    with popen:
        if popen.stdout is not None:
            _log_output(popen.stdout, popen.pid)
        popen.wait()  # before its standard input is closed: one that closed its output may go on
    _tell(loop, gone, popen.returncode)


def _popen(command: ProcessCommand, descriptor: int) -> subprocess.Popen[bytes]:
    watchdog, space = command.watchdog, command.address_space
    limits = [str(os.getpid()), "-" if watchdog is None else f"{watchdog:g}", "-" if space is None else str(space)]
    return subprocess.Popen(  # noqa: S603  the interpreter that we found, and our own files
        [sys.executable, "-I", "-S", launcher.__file__, *limits, *command.arguments, str(descriptor)],
        pass_fds=[descriptor],
        stdin=subprocess.PIPE,  # its other end lives as long as this process: the watchdog reads from it
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=command.folder,
        env={**_ALLOCATOR, **command.environ},
        start_new_session=True,  # Ctrl-C is for this process, which lets runs end
    )


def _log_output(stream: IO[bytes], pid: int) -> None:
    """Log what a process prints beside its protocol, within bounds; read it to its end, else the process would wait for us."""
    lines = iter(lambda: stream.readline(64 * 1024), b"")
    for number, line in enumerate(line for line in lines if not line.isspace()):
        if number < _LINES_CAP:
            log.info("a rule process printed", pid=pid, text=excerpt(line.decode(errors="replace").rstrip("\n"), _LINE_CAP))
        elif number == _LINES_CAP:
            log.warning("a rule process prints too much; the rest is left out", pid=pid)


def _tell(
    loop: asyncio.AbstractEventLoop, future: asyncio.Future[Any], value: Any = None, error: BaseException | None = None
) -> None:
    def tell() -> None:
        if not future.done():
            future.set_exception(error) if error else future.set_result(value)

    with suppress(RuntimeError):  # the loop is closed
        loop.call_soon_threadsafe(tell)
