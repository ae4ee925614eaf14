"""What is said about rules beside their code: `rules.yaml`, or else the `NAME.json` files of a Deploy CLI export.

    since: 2026-11-18T00:00:00Z
    events: [s, ssa]
    modules: {stripe: 8.222.0}
    rules:
      - mixpanel
      - name: slack
        enabled: false
        timeout: 5

Rules that are named run first, in this order; the others follow in the order of their names. Every rule of the folder runs
unless it has `enabled: false`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from rules.loading.yaml_file import YamlValue, parse_yaml
from shared.log_types import suggest, table
from shared.suggestions import nearest
from shared.words import OnError

_TOP: Final = frozenset({"rules", "events", "modules", "since"})
_RULE: Final = frozenset({"name", "enabled", "events", "timeout", "on_error"})
_MODULE: Final = re.compile(r"(@[a-z0-9][\w.-]*/)?[a-zA-Z0-9][\w.-]*")
_VERSION: Final = re.compile(r"\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?")
_SECONDS: Final = re.compile(r"[0-9]{1,6}(\.[0-9]{1,6})?")
_LONGEST: Final = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleEntry:
    """What is said about one rule; None: not said."""

    name: str
    #: Where it is said, from 1.
    line: int
    enabled: bool = True
    events: frozenset[str] | None = None
    #: Seconds.
    timeout: float | None = None
    on_error: OnError | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RulesManifest:
    rules: Sequence[RuleEntry] = ()
    #: For the rules that do not name their own.
    events: frozenset[str] | None = None
    #: Module to exact version.
    modules: Mapping[str, str] = field(default_factory=dict)
    #: Events that are older run no rule.
    since: datetime | None = None


def parse_manifest(text: str, files: Collection[str]) -> RulesManifest:
    """Reads `rules.yaml`; `files` are the names of the folder's rules. Raises `YamlInvalid` for the first thing that is wrong."""
    document = parse_yaml(text)
    if document is None or not (document.is_text or document.node.value):
        return RulesManifest()
    members = document.members("rules.yaml", _TOP)
    return RulesManifest(
        rules=_rules(members["rules"], files) if "rules" in members else (),
        events=_events(members["events"]) if "events" in members else None,
        modules=_modules(members["modules"]) if "modules" in members else {},
        since=_since(members["since"]) if "since" in members else None,
    )


def _rules(value: YamlValue, files: Collection[str]) -> Sequence[RuleEntry]:
    entries: dict[str, RuleEntry] = {}
    for item in value.items("`rules`"):
        entry = _entry(item)
        if first := entries.get(entry.name):
            raise item.invalid(f"the rule {entry.name!r} is named twice (first in line {first.line}); remove one")
        if entry.name not in files:
            raise item.invalid(_unknown(entry.name, files))
        entries[entry.name] = entry
    return tuple(entries.values())


def _entry(item: YamlValue) -> RuleEntry:
    if item.is_text:
        return RuleEntry(name=_name(item), line=item.line)
    members = item.members("a rule", _RULE)
    if "name" not in members:
        raise item.invalid("a rule must have a `name`: its file's name without `.js`")
    return RuleEntry(
        name=_name(members["name"]),
        line=item.line,
        enabled=_flag(members["enabled"]) if "enabled" in members else True,
        events=_events(members["events"]) if "events" in members else None,
        timeout=_timeout(members["timeout"]) if "timeout" in members else None,
        on_error=_on_error(members["on_error"]) if "on_error" in members else None,
    )


def _name(value: YamlValue) -> str:
    name = value.text("the name of a rule")
    if "/" in name or "\\" in name or name in ("", ".", ".."):
        raise value.invalid(f"{name[:80]!r} is a path; a rule is named by its file's name in RULES_DIR, without folder and `.js`")
    return name


def _unknown(name: str, files: Collection[str]) -> str:
    if name.removesuffix(".js") in files:
        return f"a rule is named without `.js`: write {name.removesuffix('.js')!r}"
    meant = nearest(name, files)
    return f"there is no file {f'{name[:80]}.js'!r} in the folder" + (f"; did you mean {meant!r}?" if meant else "")


def _flag(value: YamlValue) -> bool:
    word = value.text("`enabled`").lower()
    if word not in ("true", "false"):
        raise value.invalid(f"`enabled` must be true or false, not {word[:60]!r}")
    return word == "true"


def _events(value: YamlValue) -> frozenset[str]:
    codes = [(item, item.text("an event")) for item in value.items("`events`")]
    if not codes:
        raise value.invalid("`events` is empty; a rule that shall not run has `enabled: false`")
    for item, code in codes:
        if code not in table():
            meant = suggest(code)
            hint = f"did you mean {meant}?" if meant else "`auth0-webhooks types` lists all"
            raise item.invalid(f"{code[:60]!r} is no log event type; {hint}")
    return frozenset(code for _, code in codes)


def _timeout(value: YamlValue) -> float:
    text = value.text("`timeout`")
    if not _SECONDS.fullmatch(text) or not 0 < float(text) <= _LONGEST:
        raise value.invalid(
            f"`timeout` must be a number of seconds above 0, up to {_LONGEST:g}, without a unit, not {text[:60]!r}"
        )
    return float(text)


def _on_error(value: YamlValue) -> OnError:
    word = value.text("`on_error`")
    if word not in tuple(OnError):
        raise value.invalid(f"`on_error` must be one of {', '.join(OnError)}, not {word[:60]!r}")
    return OnError(word)


def _modules(value: YamlValue) -> Mapping[str, str]:
    pins = {}
    for name, version in value.members("`modules`").items():
        if not _MODULE.fullmatch(name):
            raise version.invalid(f"{name[:80]!r} is no name of a module")
        text = version.text(f"the version of {name}")
        if not _VERSION.fullmatch(text):
            raise version.invalid(f"the version of {name} must be an exact one such as 1.2.3, not {text[:60]!r}")
        pins[name] = text
    return pins


def _since(value: YamlValue) -> datetime:
    text = value.text("`since`")
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise value.invalid(f"`since` must be a date such as 2026-11-18T00:00:00Z, not {text[:60]!r}") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
