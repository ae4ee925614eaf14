"""`rules list`, `rules show` and `rules test` as a person and a program meet them, with real rule processes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import validate

from tests.e2e.stack import Process, Stack, stacked
from tests.support.background import in_background
from tests.support.tenant_directory import TenantDirectory

SCHEMA = {
    "type": "object",
    "properties": {
        "outcome": {"enum": ["kept", "denied", "failed", "timed_out", "crashed"]},
        "user": {"type": "object"},
        "context": {"type": "object"},
        "member": {"type": "object", "required": ["claims", "user", "decision", "rules"]},
        "rules": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "rule": {"type": "string"},
                    "outcome": {"enum": ["kept", "denied", "failed", "timed_out", "crashed", "switched_off"]},
                    "milliseconds": {"type": "number", "minimum": 0},
                    "error": {"type": ["string", "null"]},
                    "console": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "properties": {"level": {"type": "string"}, "text": {"type": "string"}},
                            "required": ["level", "text"],
                            "additionalProperties": False,
                        },
                    },
                    "calls": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "properties": {
                                "method": {"type": "string"},
                                "url": {"type": "string"},
                                "status": {"type": ["integer", "null"]},
                            },
                            "required": ["method", "url", "status"],
                            "additionalProperties": False,
                        },
                    },
                },
                "required": ["rule", "outcome", "milliseconds", "error", "console", "calls"],
                "additionalProperties": False,
            },
        },
    },
    "required": ["outcome", "user", "context", "member", "rules"],
    "additionalProperties": False,
}
RULES = {
    "tell": """/**
 * @title Tell a service about the login
 */
function (user, context, callback) {
  const http = require('http');
  console.log('login of', user.email);
  http.get(configuration.URL + '/told', function (response) {
    response.resume();
    user.told = response.statusCode;
    callback(null, user, context);
  }).on('error', callback);
}
""",
    "enrich": """function (user, context, callback) {
  context.idToken['https://example.com/plan'] = user.plan || null;
  context.idToken.ip = context.request.ip;
  delete user.nickname;
  user.name = 'Countess';
  context.multifactor = { provider: 'any' };
  callback(null, user, context);
}
""",
    "deny": "function (user, context, callback) { callback(new UnauthorizedError('not today')); }",
    "count": """function (user, context, callback) {
  context.idToken.count = context.stats.loginsCount;
  callback(null, user, context);
}
""",
    "metadata": """function (user, context, callback) {
  auth0.users.updateAppMetadata(user.user_id, { seen: true }).then(() => callback(null, user, context)).catch(callback);
}
""",
}


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    folder = tmp_path / "rules"
    folder.mkdir()
    for name, source in RULES.items():
        (folder / f"{name}.js").write_text(source)
    with stacked(tmp_path, {}) as stack:
        yield stack


#: No settings at all: nothing of them is needed.
BARE = dict.fromkeys(("AUTH0_DOMAIN", "AUTH0_CLIENT_ID", "AUTH0_CLIENT_SECRET", "WEBHOOK_URL"), "")


def _text(process: Process, code: int = 0) -> str:
    assert process.wait(60) == code, process.text
    assert "Traceback" not in process.text
    return process.text


def _json(stack: Stack, *arguments: str, **settings: str) -> Any:
    document = json.loads(_text(stack.start("rules", "test", *arguments, "--json", VERBOSITY="error", **{**BARE, **settings})))
    validate(document, SCHEMA)
    return document


def test_a_chain_is_run_and_its_json_has_exactly_what_the_documentation_says(stack: Stack) -> None:
    (stack.folder / "c.json").write_text(json.dumps({"URL": stack.tenant.url}))
    found = _json(stack, "rules/tell.js", "rules/enrich.js", "rules/deny.js", "rules/count.js", "--configuration", "c.json")
    assert found["outcome"] == "denied"
    assert [(step["rule"], step["outcome"]) for step in found["rules"]] == [
        ("tell", "kept"),
        ("enrich", "kept"),
        ("deny", "denied"),
    ]
    tell, _, deny = found["rules"]
    assert tell["console"] == [{"level": "log", "text": "login of ada.lovelace@example.com"}]
    assert tell["calls"] == [{"method": "GET", "url": f"{stack.tenant.url}/told", "status": found["user"]["told"]}]
    assert deny["error"] == "not today"
    assert found["context"]["idToken"] == {"https://example.com/plan": "gold", "ip": "203.0.113.7"}
    assert [request.path for request in stack.tenant.requests] == ["/told"]


def test_in_a_dry_run_no_request_leaves_and_the_management_api_is_not_asked(stack: Stack) -> None:
    (stack.folder / "c.json").write_text(json.dumps({"URL": stack.tenant.url}))
    found = _json(stack, "rules/tell.js", "rules/metadata.js", "--configuration", "c.json", "--dry-run")
    assert (found["outcome"], found["user"]["told"]) == ("kept", 200)
    assert found["rules"][0]["calls"] == [{"method": "GET", "url": f"{stack.tenant.url}/told", "status": 200}]
    assert stack.tenant.requests == []


def test_without_credentials_a_rule_that_wants_auth0_fails_with_the_names_of_the_settings(stack: Stack) -> None:
    (step,) = _json(stack, "rules/metadata.js")["rules"]
    assert step["outcome"] == "failed"
    assert "AUTH0_DOMAIN" in step["error"]


def test_event_user_and_context_come_from_files(stack: Stack) -> None:
    (stack.folder / "event.json").write_text('{"log_id": "9001", "type": "ssa", "ip": "192.0.2.1", "user_id": "auth0|7"}')
    (stack.folder / "user.json").write_text('{"user_id": "auth0|7", "logins_count": 3, "app_metadata": {"plan": "free"}}')
    (stack.folder / "context.json").write_text('{"request": {"ip": "192.0.2.2"}, "sso": null}')
    files = ("--event", "event.json", "--user", "user.json", "--context", "context.json")
    found = _json(stack, "rules/enrich.js", "rules/count.js", *files)
    assert found["context"]["idToken"] == {"https://example.com/plan": "free", "ip": "192.0.2.2", "count": 3}
    assert found["context"]["request"]["query"] == {"prompt": "none"}
    assert "sso" not in found["context"]
    bare = _json(stack, "rules/count.js", "--event", "event.json")
    assert bare["user"] == {"user_id": "auth0|7", "name": "", "identities": bare["user"]["identities"]}
    assert "count" not in bare["context"]["idToken"]


def test_the_tenant_is_asked_for_the_user_and_for_what_a_rule_reads(stack: Stack) -> None:
    (stack.folder / "event.json").write_text('{"type": "s", "user_id": "auth0|7", "client_id": "c1", "connection_id": "con_1"}')
    (stack.folder / "rules" / "facts.js").write_text(
        "function (user, context, callback) {\n  const { roles } = context.authorization;\n"
        "  context.idToken.facts = [user.plan, roles, context.clientMetadata.app];\n  callback(null, user, context);\n}\n"
    )
    objects: dict[str, Any] = {
        "/users/auth0|7": {"user_id": "auth0|7", "app_metadata": {"plan": "gold"}},
        "/users/auth0|7/roles": [{"name": "admin"}],
        "/clients/c1": {"client_metadata": {"app": "shop"}},
    }
    scope = "read:users read:roles read:clients"
    with in_background(TenantDirectory(objects, scope=scope)) as (directory,):
        settings = {"AUTH0_DOMAIN": directory.url, "AUTH0_CLIENT_ID": "client", "AUTH0_CLIENT_SECRET": "secret"}
        found = _json(stack, "rules/facts.js", "--event", "event.json", **settings)
        assert found["context"]["idToken"]["facts"] == ["gold", ["admin"], "shop"]
        assert sorted(directory.asked) == ["GET /clients/c1", "GET /users/auth0%7C7", "GET /users/auth0%7C7/roles"]
        directory.asked.clear()
        dry = _json(stack, "rules/facts.js", "--event", "event.json", "--dry-run", **settings)
        _json(stack, "rules/facts.js", "--sample", "s", **settings)
        assert dry["context"]["idToken"]["facts"] == [None, [], None]
        assert directory.asked == []
    text = _text(stack.start("rules", "test", "rules/facts.js", **{**BARE, "AUTH0_DOMAIN": "acme.eu.auth0.com"}), 2)
    assert "AUTH0_CLIENT_SECRET" in text


def test_metadata_is_written_and_the_token_is_asked_for_where_a_rule_uses_auth0(stack: Stack) -> None:
    (stack.folder / "event.json").write_text('{"type": "s", "user_id": "auth0|7"}')
    (stack.folder / "user.json").write_text('{"user_id": "auth0|7"}')
    given = ("--event", "event.json", "--user", "user.json")
    objects: dict[str, Any] = {"/users/auth0|7": {"user_id": "auth0|7", "app_metadata": {"plan": "gold"}}}
    with in_background(TenantDirectory(objects, scope="read:users update:users")) as (directory,):
        settings = {"AUTH0_DOMAIN": directory.url, "AUTH0_CLIENT_ID": "client", "AUTH0_CLIENT_SECRET": "secret"}
        assert _json(stack, "rules/count.js", *given, **settings)["outcome"] == "kept"
        assert directory.tokens_asked == 0
        assert _json(stack, "rules/metadata.js", *given, "--dry-run", **settings)["outcome"] == "kept"
        assert directory.tokens_asked == 0
        assert _json(stack, "rules/metadata.js", *given, **settings)["outcome"] == "kept"
        assert directory.asked == ["PATCH /users/auth0%7C7"]
    assert objects["/users/auth0|7"]["app_metadata"] == {"plan": "gold", "seen": True}


def test_a_value_of_the_configuration_that_is_missing_is_named_with_file_and_line(stack: Stack) -> None:
    text = _text(stack.start("rules", "test", "rules/tell.js", "--dry-run", **BARE))
    assert "note: rules/tell.js:7: configuration.URL is not set; write it into the file that RULES_CONFIGURATION names" in text


def test_without_a_file_the_chain_of_the_folder_runs_that_is_for_the_event(stack: Stack) -> None:
    (stack.folder / "rules" / "rules.yaml").write_text(
        "rules:\n- count\n- {name: enrich, events: [ssa]}\n- {name: deny, enabled: false}\n"
        "- {name: tell, enabled: false}\n- {name: metadata, enabled: false}\n"
    )
    for sample, names in (("s", ["count"]), ("ssa", ["count", "enrich"])):
        found = _json(stack, "--sample", sample, RULES_DIR="rules")
        assert [step["rule"] for step in found["rules"]] == names
    text = _text(stack.start("rules", "test", "--sample", "fp", RULES_DIR="rules", **BARE), 2)
    assert "no rule of rules runs on events of the type 'fp'" in text


def test_the_timeout_that_rules_yaml_gives_a_rule_holds_in_a_test_too(stack: Stack) -> None:
    folder = stack.folder / "rules"
    (folder / "slow.js").write_text("function (user, context, callback) { setTimeout(callback, 60000, null, user, context); }")
    (folder / "rules.yaml").write_text("rules: [{name: slow, timeout: 0.2}]\n")
    found = _json(stack, "rules/slow.js", "rules/count.js")
    assert (found["outcome"], len(found["rules"])) == ("timed_out", 1)


def test_a_person_sees_outcome_changes_console_and_calls(stack: Stack) -> None:
    (stack.folder / "c.env").write_text(f"URL={stack.tenant.url}\n")
    settings = {**BARE, "RULES_DIR": "rules", "RULES_CONFIGURATION": "c.env"}
    text = _text(stack.start("rules", "test", "tell", "enrich", "deny", "count", "--dry-run", **settings))
    for line in (
        "not run: count",
        "outcome: denied",
        "  deny: not today",
        '  asked for another factor: {"provider": "any"}',
        '  ~  name  "Ada Lovelace" → "Countess"',
        '  -  nickname  "ada.lovelace"',
        '  +  idToken["https://example.com/plan"]  "gold"',
        "  tell  log  login of ada.lovelace@example.com",
        "outgoing calls (dry run: none left, each was answered 200 {})",
        f"  tell  GET  {stack.tenant.url}/told  200",
    ):
        assert f"\n{line}\n" in text


def test_the_exit_code_says_that_the_rules_ran_unless_an_outcome_is_expected(stack: Stack) -> None:
    _text(stack.start("rules", "test", "rules/deny.js", **BARE))
    _text(stack.start("rules", "test", "rules/deny.js", "--expect", "denied", **BARE))
    text = _text(stack.start("rules", "test", "rules/deny.js", "--expect", "kept", **BARE), 2)
    assert "expected kept, but the outcome is denied" in text


@pytest.mark.parametrize(
    ("source", "line"),
    [
        ("function (user, context, callback) {\n  callback( }", "rules/x.js:2: does not compile: "),
        (
            "exports.onExecutePostLogin = 1",
            "rules/x.js:1: is an Action (`exports.onExecutePostLogin`), which is not supported yet",
        ),
        ("Math.PI", "rules/x.js"),
        ("42", "rules/x.js:1: is a number, not a function"),
    ],
)
def test_a_file_that_is_no_rule_is_one_line_with_file_and_line(stack: Stack, source: str, line: str) -> None:
    (stack.folder / "rules" / "x.js").write_text(source)
    text = _text(stack.start("rules", "test", "rules/x.js", VERBOSITY="error", LOG_FORMAT="console", **BARE), 2)
    assert text.startswith(f"error: {line}")
    assert text.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("test",), "name a FILE with a rule, or set RULES_DIR"),
        (("test", "rules/none.js"), "rules/none.js: there is no such file"),
        (("test", "rules/deny.js", "--sample", "limit_wx"), "did you mean limit_wc?"),
        (("test", "rules/deny.js", "--event", "none.json"), "none.json: there is no such file"),
        (("test", "rules/deny.js", "--event", "list.json"), "list.json: must be one JSON object, not an array"),
        (("test", "rules/deny.js", "--user", "rules/deny.js"), "rules/deny.js:1: is not valid JSON"),
        (("test", "rules/deny.js", "--event", "list.json", "--sample", "s"), "--event and --sample"),
        (("test", "rules/deny.js", "--configuration", "rules"), "rules: cannot be read"),
        (("test", "rules/deny.js", "--expect", "okay"), "must be one of kept, denied"),
        (("list",), "RULES_DIR is not set"),
        (("list", "none"), "none: there is no such folder"),
        (("show", "deny"), "RULES_DIR is not set"),
    ],
)
def test_a_mistake_is_one_line(stack: Stack, arguments: tuple[str, ...], words: str) -> None:
    (stack.folder / "list.json").write_text("[]")
    text = _text(stack.start("rules", *arguments, LOG_FORMAT="console", **BARE), 2)
    assert words in text
    assert text.count("\n") == 1


def test_the_list_names_what_runs_in_its_order_and_why_something_cannot(stack: Stack) -> None:
    folder = stack.folder / "rules"
    (folder / "action.js").write_text("exports.onExecutePostLogin = async () => {};")
    (folder / "rules.yaml").write_text("rules: [tell, {name: deny, enabled: false, timeout: 5}]\n")
    text = _text(stack.start("rules", "list", RULES_DIR="rules", **BARE))
    assert [line.split()[:2] for line in text.splitlines()[1:7]] == [
        ["tell", "runs"],
        ["deny", "disabled"],
        ["count", "runs"],
        ["enrich", "runs"],
        ["metadata", "runs"],
        ["action", "broken"],
    ]
    assert "rules/action.js:1: is an Action" in text
    assert re.search(r"\n6 rules: 4 run, 1 disabled, 1 cannot run; order: as in rules.yaml; hash: [0-9a-f]{12}\n\Z", text)
    rows = json.loads(_text(stack.start("rules", "list", "rules", "--json", **BARE)))
    assert [row["rule"] for row in rows if row["state"] == "runs"] == ["tell", "count", "enrich", "metadata"]


def test_a_rule_is_shown_with_its_code(stack: Stack) -> None:
    text = _text(stack.start("rules", "show", "tell", RULES_DIR="rules", **BARE))
    assert RULES["tell"].strip() in text
    assert json.loads(_text(stack.start("rules", "show", "tell", "--json", RULES_DIR="rules", **BARE)))["source"] == RULES["tell"]
    assert "did you mean tell?" in _text(stack.start("rules", "show", "tel", RULES_DIR="rules", **BARE), 2)
    assert "did you mean tell?" in _text(stack.start("rules", "show", "tell.js", RULES_DIR="rules", **BARE), 2)
