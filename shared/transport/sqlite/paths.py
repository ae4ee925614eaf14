"""The files of the embedded log in the file system: their names, their rights, and the lock files.

Only their owner may read them. They are named after the resolved path, as SQLite names its own two, so processes that use
different links meet the same locks. The database itself is never opened here once it exists: closing any handle of it would drop
SQLite's own locks.
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
    """Returns the path without symbolic links; follows a dangling one too. Raises nothing."""
    return Path(os.path.realpath(path))


def identity(path: Path) -> tuple[int, int] | None:
    """Returns what tells this file from another of the same name; None: there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def create(path: Path) -> None:
    """Creates an empty file with mode 0600, whatever the umask. Idempotent. Raises `TransportUnusable`.

    One thread at a time: closing the handle would drop the locks of a connection that another thread has opened meanwhile.
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
    """Raises `TransportUnusable` for a file that SQLite would open and should not."""
    try:
        status = path.stat()
    except OSError:
        return  # SQLite's error says why
    if not stat.S_ISREG(status.st_mode):
        raise TransportUnusable(f"{path} is not a regular file: name one with SQLITE_PATH")
    if status.st_nlink > 1:  # SQLite's journal goes by the name: two processes with a name each would damage the file
        raise TransportUnusable(
            f"{path} has {status.st_nlink} names (hard links), and SQLite needs a file with one: remove the others "
            f"(`find DIR -samefile {path}` finds them), or name another file with SQLITE_PATH"
        )


def lock(path: Path, role: str) -> int:
    """Returns a handle that holds the lock of this role until it is closed; the system closes it whenever the process ends.

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
        if not os.fstat(handle).st_mode & stat.S_IWUSR:  # created now, under an unusual umask
            os.fchmod(handle, _PRIVATE)
        if os.geteuid() == 0:  # as SQLite does: a lock file that root created must not keep the owner out later
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
    """Removes the rights of all but the owner, and logs it; also logs a file whose rights cannot be changed."""
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
