"""The first thing a newcomer runs."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

from tests.e2e.stack import COMMAND
from tests.support.process_guard import guarded


def test_the_demo_shows_the_outage_checks_itself_and_leaves_nothing_behind(tmp_path: Path) -> None:
    environ = {"PATH": os.environ["PATH"], "TMPDIR": str(tmp_path), "HOME": str(tmp_path)}
    done = subprocess.run(
        [COMMAND, "demo"], cwd=tmp_path, env=guarded(environ), capture_output=True, text=True, timeout=55, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    assert "the receiver answers 503" in done.stdout
    summary = re.search(r"(\d+) of (\d+) events delivered in .* (\d+) attempts answered 503", done.stdout)
    assert summary is not None
    delivered, expected, failed = map(int, summary.groups())
    assert delivered == expected > 600
    assert failed > 0
    assert "0 missing, 0 twice, 0 out of order for their user, 0 altered" in done.stdout
    assert "AUTH0_DOMAIN" in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_a_demo_that_cannot_be_shown_ends(tmp_path: Path) -> None:
    environ = {"PATH": os.environ["PATH"], "TMPDIR": str(tmp_path), "HOME": str(tmp_path)}
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [COMMAND, "demo"], cwd=tmp_path, env=guarded(environ), stdout=full, stderr=subprocess.PIPE, timeout=30, check=False
        )
    assert done.returncode != 0
    assert b"No space left on device" in done.stderr
    assert list(tmp_path.iterdir()) == []
