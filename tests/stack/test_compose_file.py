"""docker-compose.yml hands on every setting, each to its role. No engine is needed."""

from __future__ import annotations

import re
from typing import Final

import pytest

from shared.settings import GROUPS, Role
from shared.settings.names import LATER
from tests.stack.compose import BASE, ROOT

TEXT: Final = (ROOT / "docker-compose.yml").read_text()
#: Not for containers: they use Kafka, and the image sets the health file.
LEFT_OUT: Final = {"SQLITE_PATH", "SQLITE_RETENTION_DAYS", "HEALTH_FILE"}


def handed_on(block: str) -> set[str]:
    """Returns the names that `x-…-settings` takes from .env unchanged."""
    (body,) = re.findall(rf"^x-{block}-settings:.*\n((?:  .*\n)+)", TEXT, re.MULTILINE)
    return set(re.findall(r"^  ([A-Z0-9_]+): \$\{\1:-.*\}$", body, re.MULTILINE))


def declared(role: Role) -> set[str]:
    options = [option for group in GROUPS if role in group.roles for option in group.options.values()]
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
