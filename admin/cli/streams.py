"""Standard output and error as commands use them: what becomes of a write that fails is decided here, once, for every command.

A reader of the output that went away, as `| head` or a terminal does, wants no more: what follows is thrown away, and the command
ends as ever. Anything else that standard output cannot take (a full disk) is an error of the environment, raised at the first
write. Standard error is where errors are said: what it cannot take is dropped.
"""

from __future__ import annotations

import errno
import io
import os
import stat
import sys
from typing import TYPE_CHECKING, Final

from shared.errors import EnvironmentUnusable

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_OUT: Final = 1
_ERR: Final = 2


class _Stream(io.RawIOBase):
    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        #: Nothing can be written any more.
        self.gone = False

    def write(self, data: ReadableBuffer, /) -> int:
        size = memoryview(data).nbytes
        if self.gone:
            return size
        try:
            return os.write(self._descriptor, data)
        except OSError as error:
            self.gone = True
            if self._descriptor == _OUT and not _unread(error):
                raise EnvironmentUnusable(f"standard output cannot be written: {error.strerror or error}") from None
            return size

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._descriptor

    def isatty(self) -> bool:
        return os.isatty(self._descriptor)


def _unread(error: OSError) -> bool:
    """A terminal that is gone answers EIO, and that it is none."""
    return error.errno == errno.EPIPE or (error.errno == errno.EIO and stat.S_ISCHR(os.fstat(_OUT).st_mode))


_output: Final = _Stream(_OUT)


def install() -> None:
    """For the whole process, before anything is printed."""
    sys.stdout = _text(_output, sys.stdout)
    sys.stderr = _text(_Stream(_ERR), sys.stderr)


def reader_gone() -> bool:
    """Whether what is printed has no reader any more: of use to a command that would go on printing for ever."""
    return _output.gone


def _text(stream: _Stream, former: object) -> io.TextIOWrapper:
    """In the encoding of the environment; what that lacks is escaped."""
    encoding = getattr(former, "encoding", None) or "utf-8"
    return io.TextIOWrapper(io.BufferedWriter(stream), encoding=encoding, errors="backslashreplace", line_buffering=True)
