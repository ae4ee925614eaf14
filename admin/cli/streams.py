"""Standard output and standard error, for every command: here it is decided what happens when a write fails.

A reader that went away (`| head`, a closed terminal) wants no more: the rest of the output is dropped, and the command ends as
usual. Any other failure of standard output (a full disk) is an error of the environment, raised at the first write. What standard
error cannot take is dropped: there is no other place to report it.
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
        #: A write failed: all further writes are dropped.
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
    """A closed terminal gives EIO, and is a terminal no more: `isatty` is of no use here."""
    return error.errno == errno.EPIPE or (error.errno == errno.EIO and stat.S_ISCHR(os.fstat(_OUT).st_mode))


_output: Final = _Stream(_OUT)


def install() -> None:
    """Replace both streams of the process; call it before anything is printed."""
    sys.stdout = _text(_output, sys.stdout)
    sys.stderr = _text(_Stream(_ERR), sys.stderr)


def reader_gone() -> bool:
    """Returns whether the reader of standard output went away; for a command that prints until it is stopped."""
    return _output.gone


def _text(stream: _Stream, former: object) -> io.TextIOWrapper:
    """Returns a text stream in the encoding of the environment; what the encoding lacks is escaped."""
    encoding = getattr(former, "encoding", None) or "utf-8"
    return io.TextIOWrapper(io.BufferedWriter(stream), encoding=encoding, errors="backslashreplace", line_buffering=True)
