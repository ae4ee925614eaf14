"""The files of the embedded log on the file system: their names, their rights, and the locks that stand beside them.

All of them are for their owner alone, and are named after the resolved path, as SQLite names its own two: whatever link a process
comes by, it meets the same locks. The database itself is never opened here once it exists, since closing any handle of it would
drop SQLite's own locks.
"""

from __future__ import annotations

import fcntl
import os
import stat
import threading
from contextlib import suppress
from pathlib import Path
from typing import Final

from shared.errors import TransportUnusable
from shared.logging import get_logger

_PRIVATE: Final = 0o600
_creating = threading.Lock()

log = get_logger(__name__)


def resolved(path: Path) -> Path:
    """The path without symbolic links, a dangling one followed as well; never raises."""
    return Path(os.path.realpath(path))


def create(path: Path) -> None:
    """Make an empty file with mode 0600, whatever the umask. Idempotent. Raises `TransportUnusable`.

    One thread at a time: a connection that another thread opened on the new file would lose its locks by our closing it.
    """
    try:
        with _creating, suppress(FileExistsError):
            handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, _PRIVATE)
            try:
                os.fchmod(handle, _PRIVATE)
            finally:
                os.close(handle)
    except OSError as error:
        raise TransportUnusable(
            f"the log file {path} cannot be made ({error.strerror}): look at its folder and disk, or set SQLITE_PATH"
        ) from None


def check(path: Path) -> None:
    """Raises `TransportUnusable` for what SQLite would open and should not."""
    try:
        status = path.stat()
    except OSError:
        return  # SQLite says why
    if not stat.S_ISREG(status.st_mode):
        raise TransportUnusable(f"{path} is not a regular file: name one with SQLITE_PATH")
    if status.st_nlink > 1:  # SQLite's journal goes by the name: two processes with a name each would damage the file
        raise TransportUnusable(
            f"{path} has {status.st_nlink} names (hard links), and SQLite needs a file with one: remove the others "
            f"(`find DIR -samefile {path}` finds them), or name another file with SQLITE_PATH"
        )


def lock(path: Path, role: str) -> int:
    """A handle that holds the lock of this role until it is closed; the system closes it when the process ends, however it ends.

    Raises `TransportUnusable`.
    """
    name = path.with_name(f"{path.name}.{role}.lock")
    try:
        handle = os.open(name, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, _PRIVATE)
    except OSError as error:
        raise TransportUnusable(
            f"the lock {name} cannot be opened ({error.strerror}): start as the user that owns {path}, and see that its folder "
            "can be written to"
        ) from None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if not os.fstat(handle).st_mode & stat.S_IWUSR:  # made now, under an odd umask
            os.fchmod(handle, _PRIVATE)
        if os.geteuid() == 0:  # as SQLite does: what root made once must not lock out the owner later
            owner = path.stat()
            os.fchown(handle, owner.st_uid, owner.st_gid)
    except OSError as error:
        os.close(handle)
        if not isinstance(error, BlockingIOError):
            raise
        raise TransportUnusable(
            f"{path} already has a {role} ({name} is locked): stop the other auth0-webhooks first, or give this one "
            "a file of its own with SQLITE_PATH. To run several consumers use Kafka"
        ) from None
    for file in (path, *(path.with_name(path.name + end) for end in ("-wal", "-shm")), name):
        _tighten(file)
    return handle


def _tighten(file: Path) -> None:
    """Take rights on an existing file away from all but its owner, and log it; what cannot be changed is logged too."""
    with suppress(FileNotFoundError):
        status = file.stat()
        mode = stat.S_IMODE(status.st_mode)
        if mode & ~_PRIVATE == 0:
            return
        try:
            file.chmod(mode & _PRIVATE)
        except PermissionError:
            log.warning(
                "this file holds events and is open to other users: its owner should chmod it to 600",
                file=str(file),
                mode=f"{mode:o}",
                owner=status.st_uid,
            )
        else:
            log.warning("this file was open to other users; its mode is 600 now", file=str(file), mode=f"{mode:o}")
