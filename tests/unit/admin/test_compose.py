"""What wiring costs at a start."""

from __future__ import annotations

import subprocess
import sys

from tests.support.process_guard import guarded


def test_a_process_without_rules_imports_nothing_that_reads_or_runs_them() -> None:
    """Of that, much is paid by each command of an operator."""
    theirs = ("rules", "yaml", "tree_sitter")
    code = f"import admin.compose, sys; print([name for name in sys.modules if name.split('.')[0] in {theirs}])"
    found = subprocess.run([sys.executable, "-c", code], env=guarded(), capture_output=True, text=True, timeout=60, check=True)
    assert found.stdout.strip() == "[]"
