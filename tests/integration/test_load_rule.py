"""`tests/rules/load-rule.js`, by a JavaScript test suite of its own: in process, and with rules in real rule processes."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from rules.processes.node import find_node
from shared.errors import EnvironmentUnusable
from tests.support.process_guard import guarded

_SUITE = Path(__file__).parents[1] / "rules"


def _node() -> Path | None:
    try:
        return find_node().path
    except EnvironmentUnusable:
        return None


NODE = _node()


@pytest.mark.skipif(NODE is None, reason="Node.js is not installed")
@pytest.mark.parametrize("across", ["0", "1"], ids=["in process", "across"])
def test_a_test_suite_of_rules_passes(across: str) -> None:
    environ = {"PATH": os.environ["PATH"], "RULES_ACROSS": across, "TZ": "UTC"}
    # Each file by its name: what is taken from a folder differs between releases of Node.js.
    files = sorted(map(str, _SUITE.glob("*.test.js")))
    result = subprocess.run(
        [str(NODE), "--test", "--test-reporter=tap", *files], env=guarded(environ), capture_output=True, text=True, timeout=100
    )
    assert result.returncode == 0, result.stdout
    passed = re.search(r"^# pass (\d+)", result.stdout, re.MULTILINE)
    assert passed
    assert int(passed[1]) >= 20
