"""The modules that rules of Auth0's time used, and their exact versions: `js/manifest.json`, which the rule process reads too.

Sources: the rules that Auth0 published, and Auth0's own package of what its sandbox offered (`auth0-authz-rules-api` 4.0.0).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any, Final

#: As in `js/modules.js`: a path, and `name`, `@scope/name`, `name@1.2.3`, `name/file`.
_PATH: Final = re.compile(r"^[./\\]|^[a-zA-Z]:|^file:|\\|(^|/)\.\.(/|\Z)")
# JavaScript's white space, which is not quite Python's.
_SPACE: Final = r"\t\n\v\f\r \xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff\0"
_SPECIFIER: Final = re.compile(rf"((?:@[^/@{_SPACE}]+/)?[^/@{_SPACE}]+)(?:@([^/@{_SPACE}]+))?(/[^{_SPACE}]+)?\Z")
_MANIFEST: Final = Path(__file__).parents[1] / "js" / "manifest.json"


@dataclass(frozen=True, slots=True, order=True)
class Module:
    """A module as a rule asks for it: `version` None is the default one."""

    name: str
    version: str | None = None

    def __str__(self) -> str:
        return self.name if self.version is None else f"{self.name}@{self.version}"

    @property
    def directory(self) -> str:
        """Its place in `node_modules`: npm allows one version a name, so a pinned one lies under an alias."""
        return self.name if self.version is None else f"{self.name}--{self.version}"


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownModule:
    name: str
    #: What `require(name)` gives; None where only pins are known.
    version: str | None
    why: str
    pins: tuple[str, ...] = ()
    #: Modules that have to lie beside it.
    with_: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleManifest:
    modules: Mapping[str, KnownModule]
    #: Global name → what it stands for.
    globals: Mapping[str, str]
    #: Module name → file of `js/` that stands in for it.
    stand_ins: Mapping[str, str]
    #: Global name → why it is not here, and what to use.
    not_offered: Mapping[str, str]
    #: `modules:` of `rules.yaml`: name → version.
    own: Mapping[str, str] = field(default_factory=dict)

    def version(self, module: Module) -> str | None:
        """Returns the version to install for it, None for a module that is neither here nor in `modules:` of `rules.yaml`."""
        own, known = self.own.get(module.name), self.modules.get(module.name)
        if module.version is None:
            return own or (known.version if known else None)
        allowed = {own, *((known.version, *known.pins) if known else ())}
        return module.version if module.version in allowed else None

    def beside(self, module: Module) -> tuple[Module, ...]:
        """Returns what has to be installed with it."""
        known = self.modules.get(module.name)
        return tuple(Module(name) for name in known.with_) if known else ()


def parse(specifier: str) -> Module | None:
    """Returns the module of the text given to `require`; None for a path and for what names no module."""
    found = None if _PATH.search(specifier) else _SPECIFIER.match(specifier)
    return Module(found[1], found[2]) if found else None


@cache
def known_modules() -> ModuleManifest:
    content: dict[str, Any] = json.loads(_MANIFEST.read_text("utf-8"))
    return ModuleManifest(
        modules={entry["name"]: _known(entry) for entry in content["modules"]},
        globals=content["globals"],
        stand_ins=content["standIns"],
        not_offered=content["notOffered"],
    )


def manifest_of(own: Mapping[str, str]) -> ModuleManifest:
    """Returns the manifest with the pins of `rules.yaml`."""
    return replace(known_modules(), own=own)


def _known(entry: Mapping[str, Any]) -> KnownModule:
    return KnownModule(
        name=entry["name"],
        version=entry["version"],
        why=entry["why"],
        pins=tuple(entry.get("pins", ())),
        with_=tuple(entry.get("with", ())),
    )
