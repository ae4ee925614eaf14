"""What stands against running a rule here, and what it cannot do off the login path. Pure.

A problem is something by which a rule would fail or do something else than at Auth0; a note is something to know.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from rules.analysis.needs import Needs, Use, needs
from rules.context_properties import PROPERTIES, Given, Property
from rules.modules.installed import InstalledModules
from rules.modules.manifest import ModuleManifest
from rules.modules.required import ModuleState, NeededModule, needed_modules, state, why_unknown
from rules.rule import Rule

OFFERED: Final = frozenset({"users", "users.updateAppMetadata", "users.updateUserMetadata", "accessToken", "domain", "baseUrl"})
_SANDBOX: Final = frozenset(
    {"require", "configuration", "auth0", "UnauthorizedError", "arguments", "undefined", "NaN", "Infinity"}
)
_GLOBALS_TEXT: Final = """
    Object Function Array Number parseFloat parseInt Boolean String Symbol Date Promise RegExp Error AggregateError
    EvalError RangeError ReferenceError SyntaxError TypeError URIError globalThis JSON Math Intl ArrayBuffer Uint8Array
    Int8Array Uint16Array Int16Array Uint32Array Int32Array Float32Array Float64Array Uint8ClampedArray BigUint64Array
    BigInt64Array DataView Map BigInt Set WeakMap WeakSet Proxy Reflect FinalizationRegistry WeakRef decodeURI
    decodeURIComponent encodeURI encodeURIComponent escape unescape eval isFinite isNaN console process global Buffer
    clearImmediate setImmediate URL URLSearchParams DOMException AbortController AbortSignal Event EventTarget
    TextEncoder TextDecoder ReadableStream WritableStream TransformStream clearInterval clearTimeout setInterval
    setTimeout queueMicrotask structuredClone atob btoa BroadcastChannel MessageChannel MessagePort Blob File
    Performance performance fetch FormData Headers Request Response SharedArrayBuffer Atomics WebAssembly CustomEvent
"""
#: What Node.js has as global names.
_GLOBALS: Final = frozenset(_GLOBALS_TEXT.split())
_CLIENTS: Final = frozenset({"http", "https", "http2", "net", "tls"})
_PURE_TEXT: Final = """
    @auth0/rule-utilities async bluebird crypto-js easy-pbkdf2 form-data handlebars ip ipaddr.js jose jsonpath jsonwebtoken lodash
    moment moment-timezone oauth-sign q qs ramda underscore url uuid validator xml2js xmldom xpath xtend
"""
#: Modules that only compute.
_PURE: Final = frozenset(_PURE_TEXT.split())
_WHY: Final = {
    Given.ASKED: "empty unless the Management API is asked",
    Given.EMPTY: "always empty here",
    Given.SOMETIMES: "undefined unless the event holds it",
    Given.BY_RULE: "undefined unless a rule before sets it",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A line for a person; `line` of the rule's file, None where there is none."""

    text: str
    line: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextRead:
    """A member of `context` that a rule reads and that is empty or undefined here."""

    path: str
    line: int
    given: Given
    #: Where it would come from, for a person.
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleCheck:
    """What was found about one rule."""

    needs: Needs
    modules: Sequence[tuple[NeededModule, ModuleState]]
    missing_configuration: Sequence[Use]
    unknown_methods: Sequence[Use]
    empty_context: Sequence[ContextRead]
    #: What it does: words for a person.
    effects: Sequence[str]
    problems: Sequence[Finding]
    notes: Sequence[Finding]


def check_rule(
    rule: Rule, manifest: ModuleManifest, installed: InstalledModules, configuration: Mapping[str, Any], compiles: Finding | None
) -> RuleCheck:
    """Returns what was found. `compiles`: what the rule process said against it."""
    found = needs(rule.source)
    modules = [(one, state(one, manifest, installed)) for one in needed_modules(found, manifest)]
    missing = missing_configuration(found, configuration)
    methods = [use for use in found.auth0 if use.name not in OFFERED]
    context = list(_empty_context(found))
    problems = [
        *filter(None, [compiles]),
        *_module_problems(modules, manifest, unfinished=installed.unfinished),
        *(_finding(use, _missing_key(use.name)) for use in missing),
        *(_finding(use, f"auth0.{use.name} is not offered: use require('auth0@2') with auth0.accessToken") for use in methods),
        *(_finding(use, f"{use.name}, {why}") for use in found.free_names if (why := manifest.not_offered.get(use.name))),
    ]
    notes = [
        *(_finding(use, f"require({use.name}): which module, is known only when it runs") for use in found.computed_modules),
        *(
            _finding(use, f"{use.name}: nothing declares this name")
            for use in found.free_names
            if not _is_known(use.name, manifest)
        ),
        *(
            _finding(use, f"configuration.{use.name} is not set: the rule has a default for it")
            for use in found.configuration
            if use.name in found.optional and use.name not in (*configuration, "*")
        ),
        *(_finding(use, _STAR) for use in found.configuration if use.name == "*"),
        *(Finding(text=f"context.{one.path}: {_WHY[one.given]}{_because(one)}", line=one.line) for one in context),
    ]
    return RuleCheck(
        needs=found,
        modules=modules,
        missing_configuration=missing,
        unknown_methods=methods,
        empty_context=context,
        effects=list(_effects(found, modules)),
        problems=problems,
        notes=notes,
    )


def missing_configuration(found: Needs, configuration: Mapping[str, Any]) -> list[Use]:
    """Returns the keys that a rule reads, has no default for, and that are not there."""
    return [use for use in found.configuration if use.name not in (*configuration, *found.optional, "*")]


_STAR: Final = "configuration is read as a whole or by a computed name: which keys it needs, the text does not say"


def _finding(use: Use, text: str) -> Finding:
    return Finding(text=text, line=use.line)


def _missing_key(name: str) -> str:
    return f"configuration.{name} is missing: add {name} to the file that RULES_CONFIGURATION names"


def _because(read: ContextRead) -> str:
    return f" ({read.source})" if read.source else ""


def _module_problems(
    modules: Sequence[tuple[NeededModule, ModuleState]], manifest: ModuleManifest, *, unfinished: bool
) -> Iterator[Finding]:
    for one, where in modules:
        name = f"{one.global_name} ({one.specifier})" if one.global_name else f"require('{one.specifier}')"
        if where is ModuleState.NOT_INSTALLED:
            yield Finding(text=f"{name} is not installed: run `auth0-webhooks rules install`", line=one.line)
        elif where is ModuleState.INSTALLED and unfinished:
            yield Finding(
                text=f"{name} may be half installed: run `auth0-webhooks rules install` again, it was killed", line=one.line
            )
        elif where is ModuleState.UNKNOWN:
            yield Finding(text=f"{name} {why_unknown(one, manifest)}", line=one.line)


def _is_known(name: str, manifest: ModuleManifest) -> bool:
    return name in _SANDBOX or name in _GLOBALS or name in manifest.globals or name in manifest.not_offered


def _empty_context(found: Needs) -> Iterator[ContextRead]:
    """What the rule sets itself is not asked of the login."""
    written = {use.name.partition(".")[0] for use in found.context_writes}
    for use in found.context_reads:
        one = _property(use.name)
        if one and one.given is not Given.ALWAYS and use.name.partition(".")[0] not in written:
            yield ContextRead(path=use.name, line=use.line, given=one.given, source=one.source)


def _property(path: str) -> Property | None:
    """The property that holds the path: `request.geoip` for `request.geoip.country_name`."""
    parts = path.split(".")
    prefixes = [".".join(parts[:length]) for length in range(len(parts), 0, -1)]
    return next((_BY_PATH[prefix] for prefix in prefixes if prefix in _BY_PATH), None)


_BY_PATH: Final = {one.path: one for one in PROPERTIES}


def _effects(found: Needs, modules: Sequence[tuple[NeededModule, ModuleState]]) -> Iterator[str]:
    names = {use.name for use in found.free_names}
    written = {use.name.partition(".")[0] for use in found.context_writes}
    if names & {"fetch"} or any(_may_call_out(one, where) for one, where in modules):
        yield "may call other services"
    if any(use.name.startswith("users.update") for use in found.auth0):
        yield "writes metadata"
    if written & {"idToken", "accessToken"}:
        yield "adds claims"
    if found.user_writes:
        yield "changes the user"
    yield from _decisions(names, written)


def _may_call_out(needed: NeededModule, where: ModuleState) -> bool:
    if where is ModuleState.BUILTIN:
        return needed.specifier.removeprefix("node:") in _CLIENTS
    return needed.module is not None and needed.module.name not in _PURE


def _decisions(names: set[str], written: set[str]) -> Iterator[str]:
    """What is only reported: the login is over."""
    if "UnauthorizedError" in names:
        yield "denies (reported only)"
    for member, what in (
        ("multifactor", "asks for multifactor"),
        ("redirect", "redirects"),
        ("samlConfiguration", "changes SAML"),
    ):
        if member in written:
            yield f"{what} ({'no effect' if member == 'samlConfiguration' else 'reported only'})"
