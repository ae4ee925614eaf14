"""The hash of rules: the same where the same runs, another where anything that decides differs, and nothing of a secret."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Final

from hypothesis import given
from hypothesis import strategies as st

from rules.fingerprint import fingerprint
from rules.rule import DEFAULT_EVENTS, Rule, RuleKind, RuleSet
from shared.words import OnError

TIMES = st.none() | st.floats(0.001, 3600)
RULES = st.builds(
    Rule,
    name=st.text(min_size=1),
    path=st.just(Path("/etc/rules/a.js")),
    source=st.text(),
    events=st.none() | st.frozensets(st.sampled_from(["s", "ssa", "fp", "seacft"]), min_size=1),
    timeout=TIMES,
    on_error=st.none() | st.sampled_from(OnError),
)
SETS = st.builds(
    RuleSet,
    rules=st.lists(RULES, max_size=4).map(tuple),
    configuration=st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=3),
    modules=st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=3),
    since=st.none() | st.datetimes(timezones=st.just(UTC)),
)
A: Final = Rule(name="a", path=Path("a.js"), source="function () { return; }", events=frozenset({"s"}), timeout=5.0)
SET: Final = RuleSet(
    rules=(A, replace(A, name="b")),
    configuration={"key": "secret"},
    modules={"m": "1.0.0"},
    since=datetime(2026, 11, 18, tzinfo=UTC),
)


def _of(rules: RuleSet, *, timeout: float = 20.0, on_error: OnError = OnError.DELIVER) -> str:
    return fingerprint(rules, timeout=timeout, on_error=on_error)


def _with(**fields: Any) -> RuleSet:
    """The set with its first rule changed."""
    return replace(SET, rules=(replace(A, **fields), SET.rules[1]))


@given(SETS, st.data())
def test_it_does_not_change_with_the_machine_the_order_of_keys_or_a_secret(rules: RuleSet, data: st.DataObject) -> None:
    elsewhere = tuple(replace(rule, path=Path("C:/rules") / "x.js") for rule in rules.rules)
    other = RuleSet(
        rules=(*elsewhere, replace(A, enabled=False)),
        configuration=dict.fromkeys(data.draw(st.permutations(sorted(rules.configuration))), "another"),
        modules=dict(data.draw(st.permutations(sorted(rules.modules.items())))),
        since=rules.since.astimezone(timezone(timedelta(hours=2))) if rules.since else None,
    )
    assert _of(other) == _of(rules)


def test_every_part_of_a_set_and_of_a_rule_that_decides_is_in_it() -> None:
    """A field that is added later fails here until it is decided whether it counts."""
    changed: dict[str, Any] = {
        "name": "c",
        "source": "function () {}",
        "events": frozenset({"s", "ssa"}),
        "timeout": 6.0,
        "on_error": OnError.HOLD,
        "enabled": False,
    }
    left_out: dict[str, Any] = {"path": Path("other.js"), "kind": RuleKind.OTHER, "order": 7}
    assert {field.name for field in fields(Rule)} == {*changed, *left_out}
    others = [_with(**{name: value}) for name, value in changed.items()]
    others += [
        replace(SET, rules=SET.rules[::-1]),
        replace(SET, rules=SET.rules[:1]),
        replace(SET, configuration={}),
        replace(SET, modules={"m": "1.0.1"}),
        replace(SET, since=None),
    ]
    assert {field.name for field in fields(RuleSet)} == {"rules", "configuration", "modules", "since"}
    hashes = [*map(_of, [SET, *others]), _of(SET, timeout=21.0), _of(SET, on_error=OnError.DEAD_LETTER)]
    assert len(set(hashes)) == len(hashes)
    for name, value in left_out.items():
        assert _of(_with(**{name: value})) == _of(SET)


def test_what_is_said_for_all_rules_counts_like_what_is_said_for_each() -> None:
    each = replace(SET, rules=tuple(replace(rule, on_error=OnError.HOLD, events=DEFAULT_EVENTS) for rule in SET.rules))
    all_of_them = replace(SET, rules=tuple(replace(rule, events=None) for rule in SET.rules))
    assert _of(each) == _of(all_of_them, on_error=OnError.HOLD)


def test_it_is_the_same_in_every_process_and_release() -> None:
    """Sets of texts have another order in each process; and in an update releases stand beside each other."""
    rule = Rule(name="a", path=Path("a.js"), source="x", events=frozenset({"s", "ssa", "sens", "sepft"}))
    assert _of(RuleSet(rules=(rule,))) == "50ba830710ff"
