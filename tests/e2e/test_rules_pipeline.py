"""Rules between the log and the webhook, as a user runs them: `run` and `consume` with RULES_DIR."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rules.rule import DEFAULT_EVENTS
from shared.event_rules import with_rules
from simulator.faults import status
from simulator.tenant_log import TenantLog
from tests.e2e.stack import Stack, samples, simple, stacked
from tests.support.listed_log import ListedLog

KEEP = "function (user, context, callback) { callback(null, user, context); }"


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    folder = tmp_path / "rules"
    folder.mkdir()
    return folder


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    with stacked(tmp_path, {}, ListedLog(simple(range(3)))) as stack:
        yield stack


def _write(folder: Path, sources: Mapping[str, str]) -> None:
    for name, source in sources.items():
        (folder / name).write_text(source)


def _member(body: bytes) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(body)["rules"]
    return found


def test_every_login_goes_out_with_what_its_rules_did_and_everything_else_as_it_is(tmp_path: Path, rules: Path) -> None:
    _write(rules, {"mark.js": "function (user, context, callback) { user.seen = 1; callback(null, user, context); }"})
    log: TenantLog = ListedLog(samples())
    with stacked(tmp_path, {}, log) as stack:
        assert stack.start("run", "--once", RULES_DIR="rules").wait() == 0, stack.processes[0].text
        bodies = stack.receiver.journal.bodies
    ran = 0
    for raw in samples():
        entry = json.loads(raw)
        body = bodies.get(entry.get("log_id") or entry["_id"])
        if body is None:  # the filter's
            continue
        if entry["type"] not in DEFAULT_EVENTS or not entry.get("user_id"):
            assert body == raw
            continue
        ran += 1
        said = _member(body)
        assert body == with_rules(raw, json.dumps(said, separators=(",", ":")).encode())
        assert said["user"] == {"seen": 1}
        assert [(step["rule"], step["outcome"]) for step in said["rules"]] == [("mark", "kept")]
    assert ran > 20


ONCE = """function (user, context, callback) {
  user.app_metadata = user.app_metadata || {};
  user.first = !user.app_metadata.seen;
  auth0.users.updateAppMetadata(user.user_id, { seen: true }).then(() => callback(null, user, context), callback);
}"""


@pytest.mark.parametrize("command", [["run"], ["produce", "consume"]], ids="+".join)
def test_a_rule_sees_the_user_of_the_tenant_and_what_it_wrote_at_the_login_before(
    tmp_path: Path, rules: Path, command: list[str]
) -> None:
    _write(rules, {"once.js": ONCE})
    with stacked(tmp_path, {}, ListedLog(simple(range(12), users=3))) as stack:
        stack.tenant.tokens.application = replace(stack.tenant.tokens.application, scope="read:logs read:users update:users")
        for number in range(3):
            stack.tenant.users.by_id[f"auth0|{number}"] = {"user_id": f"auth0|{number}", "email": f"{number}@example.com"}
        for name in command:
            stack.start(name, RULES_DIR="rules")
        stack.wait_delivered(12)
        changed = {log_id: _member(body)["user"] for log_id, body in stack.receiver.journal.bodies.items()}
        assert [changed[log_id]["first"] for log_id in sorted(changed)] == [True] * 3 + [False] * 9
        gets = [request for request in stack.tenant.requests if request.method == "GET" and "/users/" in request.path]
        assert len(gets) == 3


def test_a_user_whose_id_is_hashed_is_neither_fetched_nor_written_and_one_line_says_so(tmp_path: Path, rules: Path) -> None:
    _write(rules, {"once.js": ONCE})
    with stacked(tmp_path, {}, ListedLog(simple(range(4), users=2))) as stack:
        stack.tenant.tokens.application = replace(stack.tenant.tokens.application, scope="read:logs read:users update:users")
        privacy = {"PII_MODE": "hash", "PII_FIELDS": "user_id", "PII_HASH_KEY": "k" * 32}
        process = stack.start("run", "--once", RULES_DIR="rules", **privacy)
        assert process.wait() == 0, process.text
        steps = [step for body in stack.receiver.journal.bodies.values() for step in _member(body)["rules"]]
        assert [step["outcome"] for step in steps] == ["failed"] * 4
        assert all("PII_MODE put it in the place of the user's id" in step["error"] for step in steps)
        assert not [request for request in stack.tenant.requests if "/users/" in request.path]
        assert process.text.count("PII_MODE put hashes in the place of user ids") == 1


@pytest.mark.parametrize(("policy", "outcome"), [("deliver", "failed"), ("hold", "kept")])
def test_while_auth0_gives_no_user_a_chain_fails_and_the_policy_decides(
    tmp_path: Path, rules: Path, policy: str, outcome: str
) -> None:
    _write(rules, {"mail.js": "function (user, context, callback) { user.to = user.email; callback(null, user, context); }"})
    with stacked(tmp_path, {}, ListedLog(simple(range(3), users=3))) as stack:
        stack.tenant.tokens.application = replace(stack.tenant.tokens.application, scope="read:logs read:users")
        for number in range(3):
            stack.tenant.users.by_id[f"auth0|{number}"] = {"user_id": f"auth0|{number}", "email": f"{number}@example.com"}
        stack.tenant.faults.add(status(503), when=lambda request: "/users/" in request.path)
        process = stack.start("run", RULES_DIR="rules", RULES_TIMEOUT="1", RULES_ON_ERROR=policy)
        process.wait_for_log("Auth0 did not give the user within")
        if policy == "hold":
            stack.tenant.faults.clear()
        stack.wait_delivered(3, within=60)
        said = [_member(body) for body in stack.receiver.journal.bodies.values()]
    assert [step["outcome"] for one in said for step in one["rules"]] == [outcome] * 3
    if policy == "deliver":
        assert all("Auth0 did not give the user" in one["rules"][0]["error"] for one in said)
        assert all("returned 503" in one["rules"][0]["error"] for one in said)
    else:
        assert sorted(one["user"]["to"] for one in said) == ["0@example.com", "1@example.com", "2@example.com"]


def test_a_consumer_with_rules_that_cannot_ask_for_users_says_what_to_set(stack: Stack, rules: Path) -> None:
    _write(rules, {"a.js": KEEP})
    nothing = {"AUTH0_DOMAIN": "", "AUTH0_CLIENT_ID": "", "AUTH0_CLIENT_SECRET": ""}
    stopped = stack.start("consume", RULES_DIR="rules", **nothing)
    assert stopped.wait() == 2, stopped.text
    assert stopped.text.count("RULES_FETCH_USER=false") == 1


def test_a_rule_that_is_broken_stops_the_start_or_is_left_out(stack: Stack, rules: Path) -> None:
    _write(rules, {"a.js": KEEP, "b.js": "function (user, context, callback) {\n  callback(;\n}"})
    stopped = stack.start("run", "--once", RULES_DIR="rules")
    assert stopped.wait() == 2, stopped.text
    assert "rules/b.js:2: does not compile: " in stopped.text
    assert "RULES_ON_BROKEN=skip" in stopped.text
    _write(rules, {"c.ts": KEEP})
    stopped = stack.start("run", "--once", RULES_DIR="rules")
    assert stopped.wait() == 2, stopped.text
    assert "rules/c.ts: is TypeScript" in stopped.text
    skipped = stack.start("run", "--once", RULES_DIR="rules", RULES_ON_BROKEN="skip")
    assert skipped.wait() == 0, skipped.text
    assert skipped.text.count("a rule cannot be loaded and does not run") == 2
    assert {step["rule"] for body in stack.receiver.journal.bodies.values() for step in _member(body)["rules"]} == {"a"}


def test_an_event_whose_rule_failed_is_set_aside_where_that_is_said_and_no_secret_is_written(stack: Stack, rules: Path) -> None:
    """Of three users one is denied, on one the rule fails, and one is fine."""
    source = (
        "function (user, context, callback) {\n"
        "  if (user.user_id === 'auth0|0') return callback(new UnauthorizedError('not you'));\n"
        "  if (user.user_id === 'auth0|1') throw new Error('cannot log in with ' + configuration.KEY);\n"
        "  console.log(configuration.KEY); callback(null, user, context);\n}"
    )
    _write(rules, {"a.js": source})
    (stack.folder / "c.env").write_text("KEY=canary-of-configuration\n")
    settings = {
        "RULES_DIR": "rules",
        "RULES_CONFIGURATION": "c.env",
        "RULES_ON_ERROR": "dead-letter",
        "RULES_FETCH_USER": "false",
    }
    assert stack.start("run", "--once", **settings).wait() == 0, stack.processes[0].text
    said = {log_id: _member(body) for log_id, body in stack.receiver.journal.bodies.items()}
    assert sorted(one["decision"] is not None for one in said.values()) == [False, True]
    (letter,) = _letters(stack)
    assert letter["reason"] == "rule 'a' failed: cannot log in with *** (line 3)"
    assert "canary" not in "".join([json.dumps(said), *(process.text for process in stack.processes)])


def _letters(stack: Stack) -> list[dict[str, Any]]:
    process = stack.start("dead-letters", "list", "--json", VERBOSITY="error")
    assert process.wait() == 0, process.text
    found: list[dict[str, Any]] = json.loads(process.text)
    return found
