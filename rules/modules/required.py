"""Which modules rules need, and where each of them comes from. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from rules.analysis.needs import Needs, Use
from rules.modules.installed import InstalledModules, wanted_version
from rules.modules.manifest import Module, ModuleManifest, parse

#: Modules of Node.js itself (20); `node:` before a name is always one of these.
_BUILTIN: Final = """
    assert async_hooks buffer child_process cluster console constants crypto dgram diagnostics_channel dns domain events fs http
    http2 https inspector module net os path perf_hooks process punycode querystring readline repl stream string_decoder sys
    timers tls trace_events tty url util v8 vm wasi worker_threads zlib
"""
BUILTIN: Final = frozenset(_BUILTIN.split())


class ModuleState(StrEnum):
    #: Part of Node.js.
    BUILTIN = "builtin"
    #: A file of ours does in its place.
    STAND_IN = "stand-in"
    INSTALLED = "installed"
    #: In the manifest or in `modules:` of `rules.yaml`; `rules install` brings it.
    NOT_INSTALLED = "not installed"
    #: In neither.
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class NeededModule:
    #: As the rule writes it, or as the global name of the sandbox stands for it.
    specifier: str
    line: int
    #: None for what names no module, such as a path.
    module: Module | None
    #: The name without `require`, of those that Auth0's sandbox had.
    global_name: str = ""


def needed_modules(needs: Needs, manifest: ModuleManifest) -> Sequence[NeededModule]:
    """Returns the modules that a rule needs, by `require` and by the global names of the sandbox."""
    required = [NeededModule(specifier=use.name, line=use.line, module=parse(use.name)) for use in needs.modules]
    return [*required, *(_global(use, manifest) for use in needs.free_names if use.name in manifest.globals)]


def state(needed: NeededModule, manifest: ModuleManifest, installed: InstalledModules) -> ModuleState:
    """Returns where a rule process would get it from."""
    if _is_builtin(needed.specifier):
        return ModuleState.BUILTIN
    if needed.module is None:
        return ModuleState.UNKNOWN
    if installed.version(needed.module) is not None:
        return ModuleState.INSTALLED
    if needed.module.name in manifest.stand_ins:
        return ModuleState.STAND_IN
    return ModuleState.UNKNOWN if manifest.version(needed.module) is None else ModuleState.NOT_INSTALLED


def to_install(needed: Iterable[NeededModule], manifest: ModuleManifest) -> Mapping[Module, str]:
    """Returns module → version for those that the manifest has."""
    modules = (one.module for one in needed if one.module and not _is_builtin(one.specifier))
    return dict(filter(None, (wanted_version(module, manifest) for module in modules)))


def why_unknown(needed: NeededModule, manifest: ModuleManifest) -> str:
    """Returns what a person can do about a module that would not be found."""
    if needed.module is None:
        return "is no name of a module: a rule is one file and cannot load others"
    name, version = needed.module.name, needed.module.version
    quoted = f"'{name}'" if name.startswith("@") else name  # YAML reserves the @
    pin = f"add `{quoted}: {version or 'VERSION'}` to `modules:` in rules.yaml"
    if known := manifest.modules.get(name):
        versions = ", ".join(dict.fromkeys(filter(None, (known.version, *known.pins))))
        return f"comes in other versions ({versions}): {pin}"
    return f"is not among the modules that come along: {pin}"


def _global(use: Use, manifest: ModuleManifest) -> NeededModule:
    specifier = manifest.globals[use.name]
    return NeededModule(specifier=specifier, line=use.line, module=parse(specifier), global_name=use.name)


def _is_builtin(specifier: str) -> bool:
    return specifier.removeprefix("node:").partition("/")[0] in BUILTIN
