"""Failpoints do nothing at all in a normal life, and kill exactly where they are told to."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from shared import failpoints
from tests.support.process_guard import guarded

ROOT = Path(__file__).parents[3]
PASSES = (
    "from shared import failpoints as k\nfor n in (1, 2, 3):\n k.at('marked'); k.at('answered'); print(n, flush=True)\ninput()"
)


def _child(fault_at: str) -> subprocess.CompletedProcess[str]:
    environ = {failpoints.VARIABLE: fault_at, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, "-c", PASSES], env=guarded(environ), capture_output=True, text=True, timeout=30, input=""
    )


def test_without_the_variable_a_point_is_a_function_that_does_nothing() -> None:
    assert failpoints.at is failpoints._do_nothing


def test_the_process_is_killed_at_the_pass_that_is_named() -> None:
    child = _child("answered:2")
    assert child.returncode == -signal.SIGKILL
    assert (child.stdout, child.stderr) == ("1\n", "killed at answered\n")


def test_or_shortly_after_it() -> None:
    child = _child("marked:3+0.01")
    assert child.returncode in (-signal.SIGKILL, 1)  # `input` ends it otherwise, if the machine is slow
    assert child.stdout == "1\n2\n3\n"


@pytest.mark.parametrize("text", ["", "marked", "marked:0", "nowhere:1", "marked:1+x", "marked:-1"])
def test_what_names_no_point_is_refused(text: str) -> None:
    child = _child(text)
    assert child.returncode == 1
    assert f"{failpoints.VARIABLE}={text}: not NAME:PASS" in child.stderr


@pytest.mark.parametrize("adapter", ["kafka", "sqlite"])
def test_every_point_that_is_named_is_passed_on_both_logs(adapter: str) -> None:
    folders = ("consumer", "producer", f"shared/transport/{adapter}")
    sources = "".join(path.read_text() for folder in folders for path in sorted((ROOT / folder).rglob("*.py")))
    passed = set(re.findall(r'failpoints\.at\("([a-z-]+)"\)', sources))
    assert passed == {*failpoints.CONSUMER, *failpoints.RULES, *failpoints.PRODUCER}
