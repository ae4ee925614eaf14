"""The first thing a newcomer runs."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from pathlib import Path

import pytest

from tests.e2e.stack import COMMAND
from tests.support.process_guard import guarded
from tests.support.terminal import CTRL_C, Terminal

LINE = re.compile(r"^ *([\d.]+) s  fetched (\d+)/\d+  filtered (\d+)  delivered (\d+)/(\d+)  failed (\d+)  (.+)$", re.MULTILINE)


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "TMPDIR": str(tmp_path), "HOME": str(tmp_path)}


def test_the_demo_shows_the_outage_checks_itself_and_leaves_nothing_behind(tmp_path: Path, environ: dict[str, str]) -> None:
    done = subprocess.run(
        [COMMAND, "demo"], cwd=tmp_path, env=guarded(environ), capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    *before, last = LINE.findall(done.stdout)
    elapsed, fetched, filtered, delivered, stored, failed, phase = last
    # The last line comes once, and the summary has its numbers.
    assert "503 (staged)" in [line[-1] for line in before]
    assert phase == "delivered" not in [line[-1] for line in before]
    assert f"OK: {delivered} of {stored} events delivered in {elapsed} s" in done.stdout
    assert f"{filtered} filtered out; {failed} attempts answered 503" in done.stdout
    assert int(fetched) == int(filtered) + int(stored) == 550
    assert int(failed) > 0
    assert "0 missing, 0 twice,\n  0 out of order for their user, 0 altered" in done.stdout
    assert "auth0-webhooks config show" in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_in_the_demo_says_how_far_it_came_and_is_no_failure(tmp_path: Path, environ: dict[str, str]) -> None:
    terminal = Terminal([COMMAND, "demo"], folder=tmp_path, environ=environ)
    terminal.wait_for("answers 503 (staged)")
    terminal.press(CTRL_C)
    assert terminal.wait() == 0
    screen, _, conclusion = terminal.text.rpartition("Stopped after ")
    numbers = re.match(r"([\d.]+) s: (\d+) of (\d+) events delivered\n  (\d+) filtered out; (\d+) attempts", conclusion)
    assert numbers, terminal.text
    elapsed, delivered, stored, filtered, failed = numbers.groups()
    last = " ".join(screen[screen.rindex("auth0-webhooks demo") :].split())
    for shown in (
        f"demo {elapsed} s",
        f"filtered out {filtered}",
        f"stored {stored}",
        f"delivered {delivered}",
        f"failed {failed}",
    ):
        assert shown in last
    # Over all of it, not over the last seconds: the numbers of a screen that stays must agree.
    rate = int(last.partition("answered 200; ")[2].split()[0])
    assert int(delivered) / (float(elapsed) + 0.06) - 1 < rate < int(delivered) / (float(elapsed) - 0.06) + 1
    assert "0 twice,\n  0 out of order for their user, 0 altered" in conclusion
    assert conclusion.count("\n") == 4  # no wall of log lines
    assert "missing" not in terminal.text
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_before_the_demo_has_begun_says_so(tmp_path: Path, environ: dict[str, str], number: int) -> None:
    """The signal waits from before the interpreter starts until the command takes it, as in `make demo`."""
    code = f"import os, signal; signal.pthread_sigmask(signal.SIG_BLOCK, [{number}]); os.kill(os.getpid(), {number}); "
    code += f"os.execv({COMMAND!r}, ['auth0-webhooks', 'demo'])"
    python = str(Path(COMMAND).with_name("python"))
    done = subprocess.run(
        [python, "-c", code], cwd=tmp_path, env=guarded(environ), capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "Stopped before it began.\n")


def test_a_demo_whose_reader_goes_away_ends(tmp_path: Path, environ: dict[str, str]) -> None:
    with subprocess.Popen(
        [COMMAND, "demo"], cwd=tmp_path, env=guarded(environ), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout
        assert process.stderr
        assert b"15 seconds" in process.stdout.readline()
        process.stdout.close()
        assert process.wait(60) == 0
        assert process.stderr.read() == b""
    assert list(tmp_path.iterdir()) == []


def test_a_demo_that_cannot_be_shown_ends(tmp_path: Path, environ: dict[str, str]) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [COMMAND, "demo"], cwd=tmp_path, env=guarded(environ), stdout=full, stderr=subprocess.PIPE, timeout=30, check=False
        )
    assert done.returncode != 0
    assert b"No space left on device" in done.stderr
    assert list(tmp_path.iterdir()) == []
