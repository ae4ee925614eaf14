"""A short hash of rules, by which operators see whether consumers run the same. Pure.

It stands for what decides on an event and is no secret. Values of `configuration` stay out: a short hash of a password could be
guessed. So do modules as they are installed; their pins are in it.
"""

from __future__ import annotations

import json
from datetime import UTC
from hashlib import sha256
from typing import Final

from rules.rule import DEFAULT_EVENTS, Rule, RuleSet
from shared.words import OnError

_LENGTH: Final = 12


def fingerprint(rules: RuleSet, *, timeout: float, on_error: OnError) -> str:
    """Returns 12 hexadecimal digits, on every machine the same for the same rules.

    `timeout` in seconds, for a chain; `on_error` is for the rules that do not say otherwise. Only those that are enabled count.
    """
    document = {
        "rules": [_said(rule, on_error) for rule in rules.rules if rule.enabled],
        "configuration": sorted(rules.configuration),
        "modules": sorted(rules.modules.items()),
        "since": rules.since.astimezone(UTC).isoformat() if rules.since else None,
        "timeout": float(timeout),
    }
    return sha256(json.dumps(document).encode()).hexdigest()[:_LENGTH]


def _said(rule: Rule, on_error: OnError) -> list[object]:
    source = sha256(rule.source.encode("utf-8", "surrogatepass")).hexdigest()
    timeout = None if rule.timeout is None else float(rule.timeout)
    return [rule.name, source, sorted(rule.events or DEFAULT_EVENTS), timeout, (rule.on_error or on_error).value]
