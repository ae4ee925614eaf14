"""What operators see of rules while they run: in `status`, `show`, the metrics and the dead letters."""

from __future__ import annotations

import asyncio
import json
import re
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from jsonschema import validate

from rules.outcome import RuleOutcome
from simulator.tenant_log import TenantLog
from tests.e2e.stack import Process, Stack, ends
from tests.support import faults
from tests.support.listed_log import ListedLog
from tests.support.schemas import SHOWN, STATUS
from tests.support.scrape import Samples, free_port, scrape

StackOf = Callable[[TenantLog], Stack]
on_sqlite = pytest.mark.parametrize("log", ["sqlite"], indirect=True)
on_kafka = pytest.mark.parametrize("log", ["kafka"], indirect=True)
_NOW: Final = datetime.now(UTC) - timedelta(minutes=1)
#: Does what the user's name says.
ACTS: Final = """
function (user, context, callback) {
  var what = user.user_id.split('|')[1].split('-')[0];
  if (what === 'deny') return callback(new UnauthorizedError('no'));
  if (what === 'fail') return callback(new Error('broken'));
  if (what === 'slow') return setTimeout(function () { callback(null, user, context); }, 50000);
  if (what === 'loop') while (true);
  callback(null, user, context);
}
"""
COUNTS: Final = """
function (user, context, callback) {
  global.runs = (global.runs || 0) + 1;
  user.runs = global.runs;
  callback(null, user, context);
}
"""
ALONE: Final = {"RULES_DIR": "rules", "RULES_FETCH_USER": "false"}


def log_id(number: int, at: datetime = _NOW) -> str:
    """As Auth0 makes them: with their time."""
    return f"900{at:%Y%m%d%H%M%S}{number:040d}"


def _login(number: int, user: str, at: datetime = _NOW) -> bytes:
    entry = {"log_id": log_id(number, at), "type": "s", "date": f"{at:%Y-%m-%dT%H:%M:%S}.000Z", "user_id": f"auth0|{user}"}
    return json.dumps(entry).encode()


def _write(folder: Path, **sources: str) -> None:
    """`rules_yaml` becomes `rules.yaml`."""
    folder.mkdir(exist_ok=True)
    for name, source in sources.items():
        (folder / ("rules.yaml" if name == "rules_yaml" else f"{name}.js")).write_text(source)


def _status(stack: Stack) -> Any:
    seen: Any = json.loads(ends(stack.start("status", "--json", VERBOSITY="error")))
    validate(seen, STATUS)
    return seen


def _shown(stack: Stack, of: str) -> Any:
    shown: Any = json.loads(ends(stack.start("show", of, "--json", VERBOSITY="error")))
    validate(shown, SHOWN)
    return shown


def _hash(stack: Stack, **settings: str) -> str:
    return ends(stack.start("rules", "list", VERBOSITY="error", **settings)).split("hash: ")[1].strip()


def _members(stack: Stack) -> list[Any]:
    """What rules said of each event that was delivered, by the receiver's journal."""
    return [json.loads(body)["rules"] for body in stack.receiver.journal.bodies.values()]


def _runs(samples: Samples) -> Mapping[str, float]:
    return {outcome: samples[f'auth0_webhooks_rules_runs_total{{outcome="{outcome}"}}'] for outcome in RuleOutcome}


@on_sqlite
def test_a_rule_under_way_is_the_reason_for_which_an_event_waits_and_counters_agree_with_the_journal(
    stack_of: StackOf, tmp_path: Path
) -> None:
    users = ["a", "deny-1", "slow", "fail-1", "slow", "b", "deny-2", *(f"c-{number}" for number in range(30))]
    stack = stack_of(ListedLog([_login(number, user) for number, user in enumerate(users)]))
    _write(tmp_path / "rules", a_first=COUNTS, b_acts=ACTS, c_last=COUNTS)
    port, settings = free_port(), {**ALONE, "RULES_TIMEOUT": "60"}
    runs = stack.start("run", **settings, METRICS_PORT=str(port), DRAIN_TIMEOUT="0.3")
    stack.wait_delivered(len(users) - 2)
    stack.until_shown(lambda: "rule b_acts is running" in _shown(stack, log_id(2))["why"])
    assert _shown(stack, log_id(2))["state"] == "waiting"
    behind = _shown(stack, log_id(4))
    assert (behind["state"], behind["behind"]) == ("waiting", log_id(2))

    seen = _status(stack)
    (replica,) = seen["replicas"]
    assert replica["rules"] == _hash(stack, **settings) != _hash(stack, **{**settings, "RULES_ON_ERROR": "hold"})
    assert seen["rules"] == {"differ": False, "switched_off": {}}
    stack.until_shown(lambda: [row["oldest"]["reason"] for row in _status(stack)["partitions"]] == ["rule b_acts is running"])
    text = ends(stack.start("status"))
    assert f"rules       {replica['rules']} on {replica['id']}" in text
    assert "differ" not in text

    steps = Counter(step["outcome"] for member in _members(stack) for step in member["rules"])
    samples = asyncio.run(scrape(port))
    assert _runs(samples) == {outcome: steps[outcome] for outcome in RuleOutcome}
    assert (steps["denied"], steps["failed"]) == (2, 1)
    assert samples["auth0_webhooks_rules_seconds_count"] == len(_members(stack)) == len(users) - 2
    assert samples["auth0_webhooks_rules_switched_off"] == 0
    assert runs.stop() == 0


@on_sqlite
def test_a_rule_that_is_switched_off_and_one_that_holds_a_key_are_named(stack_of: StackOf, tmp_path: Path) -> None:
    users = ["a", "loop-1", "loop-2", "loop-3", "fail", "fail", "b"]
    tenant = ListedLog([_login(number, user) for number, user in enumerate(users)])
    stack = stack_of(tenant)
    yaml = "rules:\n- name: holds\n  on_error: hold\n- acts\n"
    _write(tmp_path / "rules", acts=ACTS, holds=ACTS.replace("loop", "never"), rules_yaml=yaml)
    port, settings = free_port(), {**ALONE, "RULES_TIMEOUT": "1", "WEBHOOK_BACKOFF_BASE": "100", "WEBHOOK_BACKOFF_CAP": "300"}
    runs = stack.start("run", **settings, METRICS_PORT=str(port))
    stack.wait_delivered(5)
    stack.until_shown(lambda: _shown(stack, log_id(4))["next_try"] is not None)
    held = _shown(stack, log_id(4))
    assert held["state"] == "waiting"
    assert "its rules failed and run again, and the events of its user wait: rule 'holds' failed: " in held["why"]
    assert "broken" in held["why"]
    assert _shown(stack, log_id(5))["behind"] == log_id(4)

    seen = _status(stack)
    (replica,) = seen["replicas"]
    assert seen["rules"] == {"differ": False, "switched_off": {"acts": [replica["id"]]}}
    assert f"the rule acts is switched off on {replica['id']}" in seen["sentence"]
    assert f"acts is switched off on {replica['id']}, until they are started again" in ends(stack.start("status"))
    tenant.append(_login(len(users), "c"))
    stack.wait_delivered(6)
    samples = asyncio.run(scrape(port))
    steps = Counter(step["outcome"] for member in _members(stack) for step in member["rules"])
    # "c" came later; "b" waited beside those that hung, and runs alone before or after the rule is switched off.
    assert (steps["timed_out"], steps["switched_off"] in (1, 2)) == (3, True)
    assert {name: count for name, count in _runs(samples).items() if name != "failed"} == {
        outcome.value: steps[outcome] for outcome in RuleOutcome if outcome != "failed"
    }
    assert (steps["failed"], _runs(samples)["failed"] >= 1) == (0, True), "what is held was not delivered"
    assert samples["auth0_webhooks_rules_switched_off"] == 1
    assert "rule holds" not in seen["sentence"]

    assert "is a dead letter now" in ends(stack.start("skip", log_id(4), "--reason", "broken", "--yes"))
    assert json.loads(ends(stack.start("dead-letters", "show", log_id(4), VERBOSITY="error")))["rules_ran"] is False
    assert runs.stop() == 0


@on_sqlite
def test_a_dead_letter_goes_out_again_as_it_was_and_rules_run_again_only_where_that_is_asked_for(
    stack_of: StackOf, tmp_path: Path
) -> None:
    stack = stack_of(ListedLog([_login(0, "a"), _login(1, "fail")]))
    _write(tmp_path / "rules", counts=COUNTS, acts=ACTS, rules_yaml="rules:\n- counts\n- name: acts\n  on_error: dead-letter\n")
    stack.receiver.script.add(faults.status(422))
    runs = stack.start("run", **ALONE, WEBHOOK_MAX_ATTEMPTS="1")
    stack.until(lambda: runs.text.count("set aside as a dead letter") == 2)
    listed = {row["log_id"]: row for row in json.loads(ends(stack.start("dead-letters", "list", "--json", VERBOSITY="error")))}
    assert {of: row["rules_ran"] for of, row in listed.items()} == {log_id(0): True, log_id(1): False}
    assert "rule 'acts' failed: " in listed[log_id(1)]["reason"]
    (sent,) = (call.body for call in stack.receiver.journal.all)
    said = json.loads(sent)["rules"]
    shown = json.loads(ends(stack.start("dead-letters", "show", log_id(0), VERBOSITY="error")))
    assert (shown["rules"], shown["event"]) == (said, _login(0, "a").decode())

    def again(*arguments: str) -> None:
        count = runs.text.count("set aside as a dead letter")
        assert "1 of 1 dead letter sent again" in ends(stack.start("dead-letters", "retry", *arguments, "--yes"))
        stack.until(lambda: runs.text.count("set aside as a dead letter") > count)

    again(log_id(0))
    again(log_id(1))
    assert [call.body for call in stack.receiver.journal.all] == [sent, sent], "the other one's rules ran, and failed again"
    stack.receiver.script.clear()
    assert "1 of 1 dead letter sent again" in ends(stack.start("dead-letters", "retry", log_id(0), "--rules", "--yes"))
    stack.wait_delivered(1)
    (body,) = stack.receiver.journal.bodies.values()
    was, now = said["user"]["runs"], json.loads(body)["rules"]["user"]["runs"]
    assert now == was + 3, "once for this event, and twice for the one that fails"
    assert runs.stop() == 0


@on_kafka
def test_consumers_of_a_group_that_run_other_rules_are_named(stack_of: StackOf, tmp_path: Path) -> None:
    stack = stack_of(ListedLog([_login(number, "a") for number in range(3)]))
    for name, source in (("rules", COUNTS), ("others", ACTS)):
        _write(tmp_path / name, counts=source)
    consumers = [stack.start("consume", **{**ALONE, "RULES_DIR": name}) for name in ("rules", "others")]
    stack.until_shown(lambda: len({row["rules"] for row in _status(stack)["replicas"]}) == 2)
    seen = _status(stack)
    assert {row["rules"] for row in seen["replicas"]} == {
        _hash(stack, **{**ALONE, "RULES_DIR": name}) for name in ("rules", "others")
    }
    assert seen["rules"]["differ"]
    assert "consumers differ in their rules" in seen["sentence"]
    text = ends(stack.start("status"))
    for row in seen["replicas"]:
        assert f"{row['rules']} on {row['id']}" in text
    consumers[1].stop()
    plain = stack.start("consume")
    stack.until_shown(lambda: {row["rules"] for row in _status(stack)["replicas"]} == {_hash_of(seen, consumers[0]), None})
    assert _status(stack)["rules"]["differ"]
    for process in (consumers[0], plain):
        assert process.stop() == 0


def _hash_of(seen: Any, process: Process) -> str:
    return str(next(row["rules"] for row in seen["replicas"] if f":{process.pid}:" in row["id"]))


@on_sqlite
def test_a_start_says_how_many_logins_of_the_past_wait_and_where_it_begins_in_the_past(stack_of: StackOf, tmp_path: Path) -> None:
    now = datetime.now(UTC)
    past = [_login(number, "a", now - timedelta(days=1)) for number in range(7)]
    stack = stack_of(ListedLog([*past, _login(8, "b", now)]))
    _write(tmp_path / "rules", counts=COUNTS)

    def said(**settings: str) -> tuple[bool, bool]:
        """Whether it speaks of a beginning in the past, and of logins that wait."""
        text = ends(stack.start("run", "--once", **{**ALONE, **settings}))
        return "rules will run on logins of the past" in text, "logins of the past wait" in text

    produces = stack.start("produce", SQLITE_PATH="one.db")
    produces.wait_for_log("caught up with Auth0's log")
    assert produces.stop() == 0
    stack.receiver.latency = 0.5  # they are counted while they are delivered
    assert said(SQLITE_PATH="one.db") == (False, True)
    assert re.search('"logins": "[1-7]"', stack.processes[-1].text)
    stack.receiver.latency = 0.0
    assert said(SQLITE_PATH="one.db") == (False, False), "nothing waits any more"
    assert said(SQLITE_PATH="two.db") == (True, False)
    assert said(SQLITE_PATH="three.db", START_FROM="now") == (False, False)
    assert said(SQLITE_PATH="four.db", RULES_DIR="") == (False, False)
    _write(tmp_path / "rules", rules_yaml=f"since: {now - timedelta(minutes=5):%Y-%m-%dT%H:%M:%SZ}\n")
    assert said(SQLITE_PATH="five.db") == (False, False)
    assert ["rules" in json.loads(body) for body in stack.receiver.journal.bodies.values()].count(True) > 0
