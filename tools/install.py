"""Installs into .venv for `make`: with uv where it is there, else with venv and pip. Needs nothing but Python.

    python3 tools/install.py demo|dev [PROGRAM ARGUMENT...]

`demo` is what the product itself needs, `dev` what tests and lint need on top. What is installed and newer than pyproject.toml
is left as it is. Then becomes PROGRAM of .venv, if one is named. An error is one line; Ctrl-C says how far it came.
"""

from __future__ import annotations

import signal

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)  # while the rest is imported Ctrl-C would be a traceback

import fcntl
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

VENV: Final = Path(".venv")
PYTHON: Final = VENV / "bin" / "python"
PROJECT: Final = Path("pyproject.toml")
#: There while a new environment is made. One that has it is not used: it is made again.
UNFINISHED: Final = VENV / ".unfinished"
LOG: Final = VENV / "install.log"
#: What is installed, and about how long that takes.
EXTRAS: Final = {"demo": (".", "15 s"), "dev": (".[dev,speed]", "a minute")}
#: Parts of what pip and uv print where the package index does not respond.
NO_NETWORK: Final = (
    "Failed to establish",
    "timed out",
    "ProxyError",
    "SSLError",
    "Failed to fetch",
    "error sending request",
)


class InstallFailed(Exception):
    """Its text says what is wrong and what to do."""


class InstallStopped(BaseException):
    """By the signal of that number."""

    doing = "before it began"


def main(extras: str, *command: str) -> None:
    began = time.monotonic()
    _on_signals(_stop)
    try:
        _block(signal.SIG_UNBLOCK)
        with _alone() as lock:
            if not _is_installed(extras):
                _install(extras, lock)
                print(f"Ready after {time.monotonic() - began:.0f} s.", flush=True)
        if command:
            _become(*command)
    except InstallStopped as stop:
        print(f"\nStopped after {time.monotonic() - began:.0f} s {stop.doing}.\nThe next run starts again.")
        # make was stopped by the same Ctrl-C; where it was not, only 0 keeps it from calling this an error.
        sys.exit(0 if command else 128 + int(stop.args[0]))
    except InstallFailed as error:
        sys.exit(str(error))
    except BrokenPipeError:
        os._exit(1)
    except OSError as error:
        sys.exit(f"Cannot install in {Path.cwd()}: {error.filename or VENV}: {error.strerror}")


def _is_installed(extras: str) -> bool:
    return any(_is_current(_stamp(name)) for name in (extras, "dev"))


def _is_current(stamp: Path) -> bool:
    """A stamp holds the path of the folder: an environment does not work after a move."""
    if not stamp.exists() or stamp.stat().st_mtime < PROJECT.stat().st_mtime:
        return False
    return stamp.read_text() == str(Path.cwd())


def _stamp(extras: str) -> Path:
    return VENV / f".installed-{extras}"


def _install(extras: str, lock: int) -> None:
    uv = shutil.which("uv")
    if not _is_usable(uv):
        _make_environment(uv, lock)
    what, duration = EXTRAS[extras]
    pip = (uv, "pip", "install", "--python", PYTHON) if uv else (PYTHON, "-m", "pip", "install", "--retries", "2", "--no-compile")
    _step(f"Installing auth0-webhooks into .venv (about {duration})", lambda: _run(lock, *pip, "--editable", what))
    _stamp(extras).write_text(str(Path.cwd()))
    UNFINISHED.unlink(missing_ok=True)


def _is_usable(uv: str | None) -> bool:
    """Returns whether there is an environment to install into, with a Python that is new enough, and pip if that is needed."""
    if UNFINISHED.exists() or not PYTHON.exists():
        return False
    check = f"import sys{'' if uv else ', pip'}; sys.exit(sys.version_info < (3, 11))"
    return subprocess.run([PYTHON, "-c", check], capture_output=True, check=False).returncode == 0


def _make_environment(uv: str | None, lock: int) -> None:
    def make() -> None:
        if VENV.exists():
            shutil.rmtree(VENV)
        VENV.mkdir()
        UNFINISHED.touch()
        venv = (uv, "venv", "--allow-existing", "--python", sys.executable) if uv else (sys.executable, "-m", "venv")
        _run(lock, *venv, VENV)

    _step("Making a virtual environment in .venv", make)


def _step(doing: str, work: Callable[[], None]) -> None:
    """Announces it. A new environment that was not finished is removed after a stop; after an error it holds the log."""
    try:  # no context manager: a stop on its way from the announcement into the block would not know what was being done
        print(doing, end="", flush=True)
        work()
    except InstallStopped as stop:
        stop.doing = f"while {doing[0].lower()}{doing[1:].partition(' (')[0]}"
        if UNFINISHED.exists() or not PYTHON.exists():
            shutil.rmtree(VENV, ignore_errors=True)
        raise
    finally:
        print(flush=True)


def _run(lock: int, *command: str | Path) -> None:
    """Waits for its end. Raises `InstallFailed`. The lock is held until it ends, also if this process is killed."""
    _block(signal.SIG_BLOCK)  # a stop inside of Popen would leave a child behind that is not known yet
    child = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        pass_fds=(lock,),
        start_new_session=True,
        preexec_fn=_take_signals,
    )
    try:
        _block(signal.SIG_UNBLOCK)
        output = _output(child)
    except BaseException:
        _end(child)
        raise
    if child.returncode:
        LOG.write_bytes(output)
        raise InstallFailed(_explained(output.decode(errors="replace")))


def _take_signals() -> None:
    """In the child. A signal that it got before it had a session of its own ends it; ours would raise here."""
    _on_signals(signal.SIG_DFL)
    _block(signal.SIG_UNBLOCK)


def _output(child: subprocess.Popen[bytes]) -> bytes:
    """Waits for the end and returns all that was printed; meanwhile a terminal is shown a dot each second."""
    while True:
        try:
            return child.communicate(timeout=1)[0]
        except subprocess.TimeoutExpired:
            if sys.stdout.isatty():
                print(".", end="", flush=True)


def _end(child: subprocess.Popen[bytes]) -> None:
    """Stops it and all that it has started; pip removes its temporary folders."""
    for number, patience in ((signal.SIGINT, 3), (signal.SIGKILL, None)):
        with suppress(ProcessLookupError, subprocess.TimeoutExpired):
            os.killpg(child.pid, number)
            child.wait(patience)


def _explained(output: str) -> str:
    if "ensurepip" in output or "No module named venv" in output:
        return "Python's venv or pip is not installed; on Debian and Ubuntu: apt install python3-venv"
    lines = [line for line in output.splitlines() if line.strip()] or ["no word about the reason"]
    if any(words in output for words in NO_NETWORK):
        return f"The package index does not respond: check the network and its proxy (HTTPS_PROXY). {LOG} has all that was tried."
    errors = [line for line in lines if line.lower().startswith("error:") and line != "ERROR: Exception:"]
    return f"{(errors or lines[-1:])[0]}\nThis stopped the installation. {LOG} has all that was printed."


@contextmanager
def _alone() -> Iterator[int]:
    """Waits while another process installs here. Yields the lock's descriptor."""
    with PROJECT.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("Waiting for another process that installs here", flush=True)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield file.fileno()


def _become(program: str, *arguments: str) -> None:
    # A signal that comes now waits until the program has its handlers; in between Python would print a traceback.
    _block(signal.SIG_BLOCK)
    os.execv(VENV / "bin" / program, [program, *arguments])


def _block(how: int) -> None:
    signal.pthread_sigmask(how, _SIGNALS)


def _on_signals(handler: object) -> None:
    for number in _SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, handler)  # type: ignore[arg-type]


def _stop(number: int, _frame: object) -> None:
    _on_signals(signal.SIG_IGN)
    raise InstallStopped(number)


if __name__ == "__main__":
    main(*sys.argv[1:])
