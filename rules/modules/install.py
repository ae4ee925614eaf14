"""Puts modules into RULES_MODULES, by npm: only those that are missing, and each that is left out with its reason.

The folder is a plain npm project. A file says that npm is at work; an installation that finds it there knows that the one before
was killed, and begins again, from the lock.
"""

from __future__ import annotations

import fcntl
import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from rules.modules.installed import UNFINISHED, InstalledModules, missing
from rules.modules.manifest import Module
from rules.modules.npm import NotServed, NpmKilled, find_npm
from shared.errors import EnvironmentUnusable

#: Members of a lock that hold addresses and are of no use for installing.
_ADDRESSES: Final = ("resolved", "funding", "deprecated")


@dataclass(frozen=True, slots=True, kw_only=True)
class InstallReport:
    installed: Sequence[Module]
    #: Were there before.
    present: Sequence[Module]
    #: Module → what the registry said.
    not_served: Mapping[Module, str]


def install(folder: Path, wanted: Mapping[Module, str]) -> InstallReport:
    """Install what is missing, in exactly these versions. Waits for another installation into the same folder.

    Raises `EnvironmentUnusable` if npm is missing, or what it says about anything but single modules.
    """
    if not wanted and not folder.exists():
        return InstallReport(installed=(), present=(), not_served={})
    try:
        with _alone(folder) as lock:
            return _install(folder, wanted, lock)
    except OSError as error:
        raise EnvironmentUnusable(
            f"{error.filename or folder}: {error.strerror}; RULES_MODULES must be a folder to write to"
        ) from None


def _install(folder: Path, wanted: Mapping[Module, str], lock: int) -> InstallReport:
    before = InstalledModules(folder)
    if before.unfinished:
        shutil.rmtree(folder / "node_modules", ignore_errors=True)
    to_do = missing(wanted, before)
    present = [module for module in wanted if module not in to_do]
    if not to_do and not before.unfinished:
        return InstallReport(installed=(), present=present, not_served={})
    not_served = _Installation(folder, before.project or {}, lock).run({module: wanted[module] for module in to_do})
    installed = [module for module in to_do if module not in not_served]
    return InstallReport(installed=installed, present=present, not_served=not_served)


class _Installation:
    """One run, over as many calls of npm as it takes."""

    def __init__(self, folder: Path, project: Mapping[str, Any], lock: int) -> None:
        self._folder = folder
        self._lock = lock
        self._npm = find_npm()
        self._project = project
        dependencies = project.get("dependencies")
        self._dependencies: dict[str, str] = dict(dependencies) if isinstance(dependencies, dict) else {}

    def run(self, modules: Mapping[Module, str]) -> Mapping[Module, str]:
        """Returns those that are not served, with the reason."""
        (self._folder / UNFINISHED).touch()
        not_served: dict[Module, str] = {}
        left = dict(modules)
        while (error := self._try(left)) is not None:
            named = [module for module, version in left.items() if error.names(f"{module.name}@{version}")]
            if not named:  # a dependency of one of them: which one is seen one by one
                not_served |= self._one_by_one(left)
                break
            not_served |= dict.fromkeys(named, str(error))
            left = {module: version for module, version in left.items() if module not in named}
        _strip(self._folder / "package-lock.json")
        (self._folder / UNFINISHED).unlink()
        return not_served

    def _one_by_one(self, modules: Mapping[Module, str]) -> Mapping[Module, str]:
        errors = {module: self._try({module: version}) for module, version in modules.items()}
        return {module: str(error) for module, error in errors.items() if error}

    def _try(self, modules: Mapping[Module, str]) -> NotServed | None:
        """Adds them to what is there. Changes nothing if one is not served."""
        added = {module.directory: _dependency(module, version) for module, version in modules.items()}
        self._write({**self._dependencies, **added})
        try:
            self._npm.install(self._folder, self._lock)
        except NotServed as error:
            self._write(self._dependencies)
            return error
        except EnvironmentUnusable as error:
            self._write(self._dependencies)
            if not isinstance(error, NpmKilled):  # npm has put everything back
                (self._folder / UNFINISHED).unlink()
            raise
        self._dependencies |= added
        return None

    def _write(self, dependencies: Mapping[str, str]) -> None:
        project = {"private": True, **self._project, "dependencies": dict(sorted(dependencies.items()))}
        _replace(self._folder / "package.json", project)


def _dependency(module: Module, version: str) -> str:
    return version if module.version is None else f"npm:{module.name}@{version}"


def _strip(lock: Path) -> None:
    """Removes the addresses that npm leaves in a lock."""
    with suppress(FileNotFoundError, ValueError):
        content = json.loads(lock.read_bytes())
        for package in content.get("packages", {}).values():
            # What has no integrity is found by its address alone: a git repository, a folder.
            for name in _ADDRESSES if "integrity" in package else _ADDRESSES[1:]:
                package.pop(name, None)
        _replace(lock, content)


def _replace(path: Path, content: Mapping[str, Any]) -> None:
    """Never half written: a reader, or a process that is killed here, has the old file or the new one."""
    new = path.with_name(f".{path.name}.new")
    new.write_text(f"{json.dumps(content, indent=2)}\n", "utf-8")
    new.replace(path)


@contextmanager
def _alone(folder: Path) -> Iterator[int]:
    """Waits until no other process installs into the folder. Yields the descriptor that keeps others out."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield file.fileno()
