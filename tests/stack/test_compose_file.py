"""The compose files hand on every setting, each to its role. No engine is needed."""

from __future__ import annotations

import re
from typing import Any, Final

import pytest
import yaml

from shared.settings import GROUPS, Auth0Settings, Group, Role
from shared.settings.names import LATER
from tests.stack.compose import BASE, ROOT

TEXT: Final = (ROOT / "docker-compose.yml").read_text()
BASE_SERVICES: Final[dict[str, Any]] = yaml.safe_load(TEXT)["services"]
RULES_SERVICES: Final[dict[str, Any]] = yaml.safe_load((ROOT / "docker-compose.rules.yml").read_text())["services"]
#: Not for containers: they use Kafka, and the image sets the health file.
LEFT_OUT: Final = {"SQLITE_PATH", "SQLITE_RETENTION_DAYS", "HEALTH_FILE"}
NETWORK: Final = {"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"}
DEMOS: Final = ((RULES_SERVICES, "consumer"), (BASE_SERVICES, "producer"))


def handed_on(block: str) -> set[str]:
    """Returns the names that `x-…-settings` takes from .env unchanged."""
    (body,) = re.findall(rf"^x-{block}-settings:.*\n((?:  .*\n)+)", TEXT, re.MULTILINE)
    return set(re.findall(r"^  ([A-Z0-9_]+): \$\{\1:-.*\}$", body, re.MULTILINE))


def declared(role: Role) -> set[str]:
    return names_of(*(group for group in GROUPS if role in group.roles))


def names_of(*groups: type[Group]) -> set[str]:
    options = [option for group in groups for option in group.options.values()]
    files = {f"{name}_FILE" for option in options if option.secret for name in option.names}
    return {name for option in options for name in option.names} | files


@pytest.mark.parametrize(("role", "block"), [(Role.PRODUCE, "producer"), (Role.CONSUME, "consumer")])
def test_every_setting_of_a_role_reaches_its_containers_and_no_other_does(role: Role, block: str) -> None:
    assert (handed_on(block) | handed_on("log")) - LATER == declared(role) - LEFT_OUT


def test_the_job_that_makes_the_topics_gets_the_settings_of_the_log_alone() -> None:
    assert handed_on("log") == declared(Role.LOG) - LEFT_OUT


def test_an_unknown_setting_reaches_a_container_that_rejects_it() -> None:
    assert LATER - (handed_on("producer") | handed_on("consumer")) == set()


def test_the_dockerfile_builds_on_the_base_that_the_size_is_measured_against() -> None:
    assert f"ARG PYTHON={BASE}\n" in (ROOT / "Dockerfile").read_text()


def test_with_rules_consumers_get_what_reaches_the_management_api_and_other_roles_nothing_more() -> None:
    tenant = names_of(Auth0Settings)
    environment = RULES_SERVICES["consumer"]["environment"]
    assert {name for name in environment if name.startswith("AUTH0_")} == tenant
    assert all(environment[name] == f"${{{name}:-}}" for name in tenant)
    assert RULES_SERVICES.keys() == {"modules", "consumer"}


def test_what_rules_are_made_of_is_named_as_it_is_mounted() -> None:
    consumer = RULES_SERVICES["consumer"]
    mounted = {name: consumer["environment"][name] for name in ("RULES_DIR", "RULES_MODULES", "RULES_CONFIGURATION")}
    rules, modules, configuration = (volume["target"] for volume in consumer["volumes"])
    assert mounted == {
        "RULES_DIR": rules,
        "RULES_MODULES": modules,
        "RULES_CONFIGURATION": f"${{RULES_CONFIGURATION:+{configuration}}}",
    }


def test_the_job_that_installs_modules_gets_no_secret_of_ours() -> None:
    assert RULES_SERVICES["modules"]["environment"].keys() == {"RULES_DIR", "RULES_MODULES", *NETWORK, "npm_config_registry"}


def test_the_job_that_installs_modules_is_as_locked_up_as_every_other_container() -> None:
    for name in ("init", "read_only", "tmpfs", "cap_drop", "security_opt", "logging", "pull_policy"):
        assert RULES_SERVICES["modules"][name] == BASE_SERVICES["consumer"][name], name


def test_consumers_cannot_write_to_what_is_mounted_and_wait_for_the_modules() -> None:
    consumer = RULES_SERVICES["consumer"]
    assert [volume["read_only"] for volume in consumer["volumes"]] == [True, True, True]
    assert consumer["depends_on"] == {"modules": {"condition": "service_completed_successfully"}}


def test_with_rules_the_demo_of_the_consumers_is_the_same_with_the_tenant_of_the_producer() -> None:
    demo, producer = (services[role]["environment"]["DEMO"].split() for services, role in DEMOS)
    assert set(demo) == {*BASE_SERVICES["consumer"]["environment"]["DEMO"].split(), *producer}
