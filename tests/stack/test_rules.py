"""docker-compose.rules.yml in real containers: modules by npm, then consumers whose rules use them. `make test-stack` runs it."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.stack.compose import IMAGE, RULES_IMAGE, CommandFailed, ComposeStack, build, docker, require_engine, stack
from tests.support.npm_registry import NpmRegistry, npm_registry

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]

FILES: Final = ("docker-compose.yml", "tests/stack/observed.yml", "docker-compose.rules.yml", "tests/stack/rules.yml")
RULE: Final = """
function (user, context, callback) {
  context.idToken['https://acme.example/greeting'] = require('greeting') + ' ' + configuration.NAME;
  context.idToken['https://acme.example/verified'] = user.email_verified;
  callback(null, user, context);
}
"""


@pytest.fixture(scope="module")
def images() -> None:
    require_engine()
    build()
    build(RULES_IMAGE, "--target", "rules")


@pytest.fixture
def registry() -> Iterator[NpmRegistry]:
    with npm_registry() as registry:
        registry.add("greeting", "1.0.0")
        yield registry


@pytest.fixture
def project(images: None, registry: NpmRegistry, tmp_path: Path) -> Iterator[ComposeStack]:
    settings = {
        "RULES_DIR": str(_rules(tmp_path)),
        "RULES_CONFIGURATION": str(tmp_path / "configuration.env"),
        "npm_config_registry": registry.url,
    }
    with stack(f"rules-{uuid.uuid4().hex[:8]}", *FILES, **settings) as running:
        yield running


def _rules(folder: Path) -> Path:
    """Everything readable for the user of the containers."""
    (folder / "configuration.env").write_text("NAME=ada\n")
    rules = folder / "rules"
    rules.mkdir()
    rules.chmod(0o755)
    (rules / "greet.js").write_text(RULE)
    (rules / "rules.yaml").write_text("modules: {greeting: 1.0.0}\n")
    return rules


def test_modules_are_in_the_volume_before_a_consumer_starts_and_are_fetched_once(
    project: ComposeStack, registry: NpmRegistry
) -> None:
    project("up", "modules")
    (modules,) = project.inspect("modules")
    assert modules["State"]["ExitCode"] == 0
    assert registry.tarballs == ["/greeting/-/1.0.0.tgz"]
    checked = json.loads(project("run", "--rm", "--no-deps", "-T", "consumer", "rules", "check", "--json"))
    assert checked["ok"] is True
    project("up", "--force-recreate", "modules")
    assert len(registry.tarballs) == 1


def test_a_login_arrives_with_what_rules_made_of_it_from_the_demo_s_tenant(project: ComposeStack) -> None:
    """With neither a tenant nor a webhook set: consumers take both from the demo, its users too, which no log entry holds."""
    project("up", "--detach")
    with_claim = '"id_token":{"https://acme.example/greeting":"greeting 1.0.0 ada","https://acme.example/verified":true}'
    project.until(lambda: _bodies(project).count(with_claim) > 20, within=90, what="logins with a claim")
    for container in project.inspect("consumer"):
        assert container["Config"]["User"] == "10001:10001"
        assert container["HostConfig"]["ReadonlyRootfs"]
        assert container["HostConfig"]["CapDrop"] == ["ALL"]
    secrets = {name: json.dumps([each["Config"]["Env"] for each in project.inspect(name)]) for name in ("modules", "topics")}
    assert not any("sim-secret" in environ for environ in secrets.values())


def _bodies(project: ComposeStack) -> str:
    return project("logs", "--no-log-prefix", "demo-receiver")


def test_consumers_cannot_write_to_rules_and_modules(project: ComposeStack) -> None:
    for folder in ("/rules", "/modules", "/"):
        with pytest.raises(CommandFailed, match="Read-only file system"):
            project("run", "--rm", "--no-deps", "-T", "--entrypoint", "touch", "consumer", f"{folder}/x")


@pytest.mark.parametrize("given", [{}, {"RULES_DIR": "/nonexistent"}], ids=["no folder", "a folder that is not there"])
def test_without_a_folder_of_rules_nothing_starts_and_the_reason_is_said(images: None, given: dict[str, str]) -> None:
    with pytest.raises(CommandFailed, match=given.get("RULES_DIR", "name the folder with your rules")):
        ComposeStack(f"bare-{uuid.uuid4().hex[:8]}", FILES, given)("up", "--no-deps", "modules")


def test_node_js_is_in_the_image_for_rules_alone_and_adds_at_most_150_mb(images: None) -> None:
    plain, with_rules = (int(docker("image", "inspect", "--format", "{{.Size}}", name)) for name in (IMAGE, RULES_IMAGE))
    assert 0 < with_rules - plain <= 150_000_000
