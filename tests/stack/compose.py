"""Docker Compose as a user calls it, in a project of its own for each test, removed at the end with its volumes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from tests.support.process_guard import guarded

ROOT: Final = Path(__file__).parents[2]
BASE: Final = "python:3.13-slim"
IMAGE: Final = "auth0-webhooks:stack-test"
RULES_IMAGE: Final = "auth0-webhooks-rules:stack-test"
#: Not inherited: compose reads settings from the environment, and they must not be the developer's.
_KEPT: Final = ("PATH", "HOME", "DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG", "DOCKER_BUILDKIT")


class CommandFailed(AssertionError):
    """A command ended with an error; the message is its output."""


@dataclass(frozen=True, slots=True)
class ComposeStack:
    """The services of one project. Settings are the environment that `docker compose` is called with."""

    project: str
    files: Sequence[str]
    settings: Mapping[str, str]

    def __call__(self, *arguments: str, within: float = 120) -> str:
        """Runs `docker compose …`. Returns its standard output."""
        files = [word for file in self.files for word in ("--file", file)]
        # The developer's .env must not count.
        command = ("compose", "--env-file", os.devnull, *files, "--project-name", self.project, "--profile", "demo", *arguments)
        images = {"AUTH0_WEBHOOKS_IMAGE": IMAGE, "AUTH0_WEBHOOKS_RULES_IMAGE": RULES_IMAGE}
        return docker(*command, environ={**self.settings, **images}, within=within)

    def containers(self, service: str) -> list[str]:
        """Returns the ids of those that run."""
        return self("ps", "--quiet", service).split()

    def inspect(self, service: str) -> list[dict[str, Any]]:
        """Returns what the engine reports of each container, stopped ones too."""
        found: list[dict[str, Any]] = json.loads(docker("inspect", *self("ps", "--all", "--quiet", service).split()))
        return found

    def until(self, condition: Callable[[], bool], *, within: float, what: str) -> None:
        """Waits until the condition holds. Raises `TimeoutError`."""
        deadline = time.monotonic() + within
        while not condition():
            if time.monotonic() > deadline:
                raise TimeoutError(f"{what}: not within {within:g} s")
            time.sleep(0.5)


@contextmanager
def stack(project: str, *files: str, **settings: str) -> Iterator[ComposeStack]:
    """Yields a project's stack, not started yet. If the test fails, pytest shows the last lines of its log."""
    stack = ComposeStack(project, files, settings)
    try:
        yield stack
    except BaseException:
        sys.stderr.write(stack("ps", "--all") + stack("logs", "--tail", "40"))  # pytest shows it
        raise
    finally:
        stack("down", "--volumes", "--remove-orphans", "--timeout", "2")


def docker(*arguments: str, environ: Mapping[str, str] | None = None, within: float = 60) -> str:
    """Runs the command. Returns its standard output. Raises `CommandFailed` with its output."""
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    done = subprocess.run(
        ["docker", *arguments], cwd=ROOT, env=guarded({**kept, **(environ or {})}), capture_output=True, text=True, timeout=within
    )
    if done.returncode:
        raise CommandFailed(
            f"docker {' '.join(arguments)}: exit code {done.returncode}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
        )
    return done.stdout


def require_engine() -> None:
    """Skips where there is no engine or no compose; fails where AUTH0_WEBHOOKS_REQUIRE_DOCKER is set."""
    try:
        docker("version", "--format", "{{.Server.Version}}", within=10)
        docker("compose", "version", within=10)
    except (OSError, CommandFailed, subprocess.TimeoutExpired) as reason:
        line = f"no Docker engine with compose: {str(reason).splitlines()[0]}"
        if os.environ.get("AUTH0_WEBHOOKS_REQUIRE_DOCKER"):
            pytest.fail(line)
        pytest.skip(line)


def build(image: str = IMAGE, *options: str) -> None:
    """Builds the image. The host's network: it reaches a package index also where containers' own network does not."""
    docker("build", "--network", "host", "--tag", image, *options, ".", within=240)
