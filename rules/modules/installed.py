"""What lies in RULES_MODULES: an npm project whose dependencies are the modules of the rules, pinned ones under an alias."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from rules.modules.manifest import Module, ModuleManifest

#: Is there while npm works: an installation that was killed leaves it behind.
UNFINISHED: Final = ".unfinished"


class InstalledModules:
    """Reads as `js/modules.js` does. A folder that is not there is an empty one."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.unfinished = (folder / UNFINISHED).exists()
        self.project = _read(folder / "package.json")

    @property
    def dependencies(self) -> Mapping[str, str]:
        wanted = (self.project or {}).get("dependencies")
        return wanted if isinstance(wanted, dict) else {}

    def version(self, module: Module) -> str | None:
        """Returns the version that `require` gives for it; None if it is not installed."""
        found = self._version(module.directory)
        if found is None and module.version is not None and self._version(module.name) == module.version:
            return module.version
        return found

    def _version(self, directory: str) -> str | None:
        if self.project is not None and "dependencies" in self.project and directory not in self.dependencies:
            return None
        found = _read(self.folder / "node_modules" / directory / "package.json")
        return None if found is None else str(found.get("version"))


def missing(wanted: Mapping[Module, str], installed: InstalledModules) -> list[Module]:
    """Returns those that are not installed, or in another version than the one wanted."""
    return [module for module, version in wanted.items() if installed.version(module) != version]


def wanted_version(module: Module, manifest: ModuleManifest) -> tuple[Module, str] | None:
    """Returns what to install for a module and in which version; None for one that is not in the manifest.

    A pin of the default version needs no place of its own.
    """
    version = manifest.version(module)
    if version is None:
        return None
    plain = Module(module.name)
    return (plain if manifest.version(plain) == version else module), version


def _read(path: Path) -> dict[str, Any] | None:
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None
