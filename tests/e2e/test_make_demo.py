"""`make demo` in a fresh clone: the real Makefile, venv and pip. A small project stands for ours: no network is needed."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.process_guard import guarded
from tests.support.terminal import CTRL_C, Terminal

ROOT = Path(__file__).parents[2]
PROJECT = """
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
[project]
name = "auth0-webhooks"
version = "0.1"
"""
#: Builds the wheel; takes a minute for it as long as the file `slow` is there.
BACKEND = """
import time, zipfile
from pathlib import Path

def build_editable(folder, config_settings=None, metadata_directory=None):
    for _ in range(600):
        if Path("slow").exists(): time.sleep(0.1)
    name = "auth0_webhooks-0.1-py3-none-any.whl"
    info = "auth0_webhooks-0.1.dist-info"
    files = {
        "here.pth": str(Path.cwd()),
        f"{info}/METADATA": "Metadata-Version: 2.1\\nName: auth0-webhooks\\nVersion: 0.1\\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\\nGenerator: test\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
        f"{info}/entry_points.txt": "[console_scripts]\\nauth0-webhooks = program:main\\n",
    }
    with zipfile.ZipFile(Path(folder, name), "w") as wheel:
        for path, text in {**files, f"{info}/RECORD": "".join(f"{path},,\\n" for path in files)}.items():
            wheel.writestr(path, text)
    return name
"""
PROGRAM = """
import sys

def main():
    print("the program was called with", *sys.argv[1:])
"""


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    folder = tmp_path / "a clone"
    (folder / "tools").mkdir(parents=True)
    shutil.copy(ROOT / "Makefile", folder)
    shutil.copy(ROOT / "tools" / "install.py", folder / "tools")
    for name, text in {"pyproject.toml": PROJECT, "backend.py": BACKEND, "program.py": PROGRAM}.items():
        (folder / name).write_text(text)
    return folder


def environ(**more: str) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), "PIP_DISABLE_PIP_VERSION_CHECK": "1", **more}


def make(folder: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    command = ["make", f"PYTHON={sys.executable}", *arguments]
    return subprocess.run(
        command, cwd=folder, env=guarded(environ(**more)), capture_output=True, text=True, timeout=100, check=False
    )


def break_off(folder: Path, step: str) -> None:
    terminal = Terminal(["make", f"PYTHON={sys.executable}", "demo"], folder=folder, environ=environ())
    terminal.wait_for(step)
    terminal.press(CTRL_C)
    assert terminal.wait() == -signal.SIGINT  # as a shell has it: 130
    assert terminal.text.endswith(f"while {step[0].lower()}{step[1:]}.\nThe next run starts again.\n"), terminal.text
    assert "***" not in terminal.text


@pytest.mark.timeout(400)
def test_make_demo_installs_once_and_takes_a_stop_at_any_moment(clone: Path) -> None:
    """One environment for all of it: to make one takes seconds."""
    break_off(clone, "Making a virtual environment in .venv")
    assert not (clone / ".venv").exists()

    first = make(clone, "demo")
    assert first.stdout.startswith("Making a virtual environment in .venv\nInstalling auth0-webhooks into .venv"), first
    assert first.stdout.endswith("s.\nthe program was called with demo\n")
    assert (first.returncode, first.stderr) == (0, "")

    with (clone / "pyproject.toml").open() as lock:  # the second waits while another process installs
        fcntl.flock(lock, fcntl.LOCK_EX)
        terminal = Terminal(["make", f"PYTHON={sys.executable}", "demo"], folder=clone, environ=environ())
        terminal.wait_for("Waiting for another process that installs here")
    assert terminal.wait() == 0
    assert terminal.text.endswith("here\nthe program was called with demo\n")

    moved = clone.rename(clone.with_name("elsewhere"))
    (moved / "slow").touch()
    break_off(moved, "Installing auth0-webhooks into .venv")
    (moved / "slow").unlink()
    again = make(moved, "demo").stdout
    assert again.startswith("Installing auth0-webhooks into .venv")
    assert again.endswith("s.\nthe program was called with demo\n")

    said = why_not(moved, PROJECT.replace("requires = []", 'requires = ["a-library"]'))
    assert said.startswith("The package index does not respond: check the network")
    assert "no_backend" in why_not(moved, PROJECT.replace('"backend"', '"no_backend"'))


def test_a_stop_before_it_can_do_anything_is_no_traceback(clone: Path) -> None:
    python = clone.with_name("python")  # its path has no space
    python.write_text(f'#!/bin/sh\nexec {sys.executable} -X importtime "$@"\n')
    python.chmod(0o755)
    terminal = Terminal(["make", f"PYTHON={python}", "demo"], folder=clone, environ=environ())
    terminal.wait_for("| fcntl")
    terminal.press(CTRL_C)
    assert terminal.wait() == -signal.SIGINT
    assert terminal.text.endswith("Stopped after 0 s before it began.\nThe next run starts again.\n"), terminal.text


def test_a_stop_before_python_can_catch_it_is_heard_once_it_can(clone: Path) -> None:
    can = subprocess.run(["env", "--block-signal=INT", "true"], env=guarded(environ()), capture_output=True, check=False)
    if can.returncode:
        pytest.skip("only GNU env can block signals for what it starts")
    python = clone.with_name("python")
    python.write_text(f'#!/bin/sh\ncase "$*" in *install.py*) kill -INT 0;; esac\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    terminal = Terminal(["make", f"PYTHON={python}", "demo"], folder=clone, environ=environ())
    assert terminal.wait() == -signal.SIGINT
    assert terminal.text == "\nStopped after 0 s before it began.\nThe next run starts again.\n"


def why_not(folder: Path, project: str) -> str:
    """Returns the first line of what it says where the package index cannot be reached."""
    (folder / "pyproject.toml").write_text(project)
    with socket.socket() as closed:  # bound and not listening: no other process gets the port
        closed.bind(("127.0.0.1", 0))
        index = f"http://127.0.0.1:{closed.getsockname()[1]}/"
        done = make(folder, "demo", PIP_CONFIG_FILE=os.devnull, PIP_INDEX_URL=index, UV_NO_CONFIG="1", UV_INDEX_URL=index)
    assert done.returncode == 2
    *said, made = done.stderr.splitlines()
    assert ".venv/install.log has all that was" in said[-1]
    assert made.startswith("make: ***")
    return said[0]


@pytest.mark.parametrize("python", ["no-such-python", "/bin/false", "/nowhere/python3"])
def test_a_python_that_is_missing_or_too_old_is_one_line(clone: Path, python: str) -> None:
    done = make(clone, f"PYTHON={python}", "demo")
    (line,) = done.stderr.splitlines()
    assert f"Python 3.11 or newer is needed, and not found as {python}. Name yours" in line
    assert (done.returncode, done.stdout) == (2, "")


def test_a_folder_that_cannot_be_written_is_one_line(clone: Path) -> None:
    (clone / ".venv").write_text("in the way")
    done = make(clone, "demo")
    assert done.stderr.splitlines()[0] == f"Cannot install in {clone}: .venv: Not a directory"
    assert done.returncode == 2
