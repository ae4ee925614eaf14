"""The README's first minutes as they are typed: three terminals, from nothing to the first events of a fake tenant."""

from __future__ import annotations

import os
import re
import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.shell_text import blocks
from tests.support.terminal import CTRL_C, Terminal

README = (Path(__file__).parents[2] / "README.md").read_text()
TENANT, RECEIVER, RUN = blocks(README[: README.index("## Your tenant")])[-3:]
DEFAULTS = ("http://127.0.0.1:8090", "http://127.0.0.1:8080/")


class Terminals:
    """In one folder, which has the environment that `make demo` makes."""

    def __init__(self, folder: Path, exits: ExitStack) -> None:
        (folder / ".venv").symlink_to(sys.prefix)
        self._folder = folder
        self._exits = exits

    def type(self, script: str) -> Terminal:
        environ = {"PATH": os.defpath, "HOME": str(self._folder)}
        terminal = Terminal(["sh", "-c", script], folder=self._folder, environ=environ, columns=200)
        self._exits.callback(terminal.kill)
        return terminal


@pytest.fixture
def terminals(tmp_path: Path) -> Iterator[Terminals]:
    with ExitStack() as exits:
        yield Terminals(tmp_path, exits)


def test_the_first_steps_of_the_readme_lead_to_the_events_of_a_fake_tenant(terminals: Terminals) -> None:
    # The only thing that is typed otherwise: the default ports may be taken where tests run.
    tenant = terminals.type(f"{TENANT.rstrip()} --port 0")
    receiver = terminals.type(f"{RECEIVER.rstrip()} --port 0")
    tenant.wait_for("AUTH0_CLIENT_SECRET=")
    receiver.wait_for("WEBHOOK_URL=")
    settings = re.findall(r"export (?:AUTH0|WEBHOOK)_\w+=[^\s']+", RUN)
    for default, printed in zip(DEFAULTS, (tenant.text, receiver.text), strict=True):
        (url,) = re.findall(r"http://127\.0\.0\.1:[1-9]\d*/?(?=\s)", printed)
        settings = [setting.replace(default, url) for setting in settings]
    # What the README sets is what the two print, to paste.
    pasted = re.findall(r"^ *(export [A-Z0-9_]+=\S+)\n", tenant.text, re.MULTILINE)
    assert pasted == settings[:3]
    assert settings[3].removeprefix("export ") in receiver.text

    run = terminals.type(
        "\n".join([*settings, *(line for line in RUN.splitlines() if "AUTH0_" not in line and "URL" not in line)])
    )
    receiver.wait_for("auth0|")
    for terminal in (run, receiver, tenant):
        terminal.press(CTRL_C)
        assert terminal.wait() in (0, -signal.SIGINT)  # the shell dies of it where our command was not the last thing in it
    assert "Traceback" not in run.text + receiver.text + tenant.text
