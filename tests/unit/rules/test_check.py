"""What `rules check` finds about a rule, besides whether it compiles."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rules.check import Finding, RuleCheck, check_rule
from rules.context_properties import Given
from rules.modules.installed import InstalledModules
from rules.modules.manifest import known_modules
from rules.modules.required import ModuleState
from rules.rule import Rule


@pytest.fixture
def modules(tmp_path: Path) -> Path:
    """A folder in which lodash is installed, and uuid as a dependency of it."""
    for name, version in (("lodash", "4.17.21"), ("uuid", "3.4.0")):
        package = tmp_path / "node_modules" / name
        package.mkdir(parents=True)
        (package / "package.json").write_text(json.dumps({"version": version}))
    (tmp_path / "package.json").write_text('{"dependencies": {"lodash": "4.17.21"}}')
    return tmp_path


def _check(body: str, modules: Path = Path("/nonexistent"), compiles: Finding | None = None, **configuration: str) -> RuleCheck:
    source = f"function (user, context, callback) {{\n{body}\n}}"
    rule = Rule(name="one", path=Path("one.js"), source=source)
    return check_rule(rule, known_modules(), InstalledModules(modules), configuration, compiles)


def _texts(findings: object) -> list[str]:
    assert isinstance(findings, list)
    return [f"{one.line}: {one.text}" for one in findings]


def test_a_rule_that_needs_nothing_has_no_problem_and_no_note() -> None:
    found = _check("user.name; context.clientName; callback(null, user, context);")
    assert (found.problems, found.notes, found.effects) == ([], [], [])


@pytest.mark.parametrize(
    ("specifier", "state"),
    [
        ("crypto", ModuleState.BUILTIN),
        ("node:fs/promises", ModuleState.BUILTIN),
        ("lodash", ModuleState.INSTALLED),
        ("lodash@4.17.21", ModuleState.INSTALLED),
        ("lodash/fp", ModuleState.INSTALLED),
        ("lodash@4.17.19", ModuleState.NOT_INSTALLED),
        ("uuid", ModuleState.NOT_INSTALLED),
        ("@auth0/rule-utilities@0.2.0", ModuleState.STAND_IN),
        ("lodash@1.0.0", ModuleState.UNKNOWN),
        ("left-pad", ModuleState.UNKNOWN),
        ("../x", ModuleState.UNKNOWN),
    ],
)
def test_a_module_is_where_a_rule_process_would_find_it(modules: Path, specifier: str, state: ModuleState) -> None:
    found = _check(f"require('{specifier}');", modules)
    assert [where for _, where in found.modules] == [state]
    assert bool(found.problems) == (state in (ModuleState.NOT_INSTALLED, ModuleState.UNKNOWN))


def test_a_module_of_an_installation_that_was_killed_is_a_problem(modules: Path) -> None:
    (modules / ".unfinished").touch()
    (problem,) = _check("require('lodash');", modules).problems
    assert "may be half installed" in problem.text


def test_a_global_name_of_the_sandbox_is_a_module_unless_the_rule_declares_it() -> None:
    assert _texts(_check("\njwt.sign({});").problems) == [
        "3: jwt (jsonwebtoken@5.7.0) is not installed: run `auth0-webhooks rules install`"
    ]
    assert _check("const jwt = 1; jwt;").problems == []


def test_a_global_name_that_the_runner_does_not_have_says_what_to_use() -> None:
    (problem,) = _check("sqlserver.connect({});").problems
    assert problem.text.endswith("use require('tedious')")


def test_a_missing_key_of_the_configuration_is_a_problem_and_one_that_is_there_is_none() -> None:
    found = _check("configuration.A; configuration['B'];", A="1")
    assert _texts(found.problems) == ["2: configuration.B is missing: add B to the file that RULES_CONFIGURATION names"]


@pytest.mark.parametrize(
    "body",
    [
        "const a = configuration.A || 'x';",
        "const a = configuration['A'] ?? 'x';",
        "const { A = 'x' } = configuration;",
        "if (typeof configuration.A !== 'undefined') f = configuration.A;",
        "const a = (configuration.A) ? 1 : 2;",
        "const a = configuration.A || 'x';\nif (!configuration.A) return;",
    ],
)
def test_a_key_for_which_the_rule_has_a_default_may_be_missing(body: str) -> None:
    found = _check(body)
    assert found.problems == []
    assert "2: configuration.A is not set: the rule has a default for it" in _texts(found.notes)


@pytest.mark.parametrize("body", ["if (!configuration.A) return;", "x = y || configuration.A;", "x = configuration.A && 1;"])
def test_a_key_without_which_the_rule_does_something_else_is_a_problem(body: str) -> None:
    assert len(_check(body).problems) == 1


def test_a_method_of_auth0_that_is_not_offered_names_the_way_to_the_others() -> None:
    found = _check("auth0.users.updateAppMetadata(1, {}); auth0.users.get(1); auth0.accessToken;")
    assert _texts(found.problems) == ["2: auth0.users.get is not offered: use require('auth0@2') with auth0.accessToken"]


def test_what_is_empty_off_the_login_path_is_named_unless_the_rule_sets_it_itself() -> None:
    found = _check("context.request.query.a; context.request.geoip.country_name; context.idToken.x = context.idToken.y;")
    assert [(one.path, one.given) for one in found.empty_context] == [
        ("request.query.a", Given.EMPTY),
        ("request.geoip.country_name", Given.SOMETIMES),
    ]
    assert found.problems == []


def test_what_cannot_be_known_is_a_note() -> None:
    found = _check("require(x); f(configuration); const y = 1; y;")
    assert [note.text.partition(":")[0] for note in found.notes] == [
        "require(x)",
        "x",
        "f",
        "configuration is read as a whole or by a computed name",
    ]


@pytest.mark.parametrize(
    ("body", "effect"),
    [
        ("require('request');", "may call other services"),
        ("fetch('https://example.com');", "may call other services"),
        ("require('https');", "may call other services"),
        ("auth0.users.updateUserMetadata(user.user_id, {});", "writes metadata"),
        ("context.idToken['https://example.com/a'] = 1;", "adds claims"),
        ("user.name = 'x';", "changes the user"),
        ("callback(new UnauthorizedError('no'));", "denies (reported only)"),
        ("context.multifactor = { provider: 'any' };", "asks for multifactor (reported only)"),
        ("context.redirect = { url: 'https://example.com' };", "redirects (reported only)"),
        ("context.samlConfiguration.audience = 'x';", "changes SAML (no effect)"),
    ],
)
def test_what_a_rule_does_is_derived_from_its_text(body: str, effect: str) -> None:
    assert _check(body).effects == [effect]


def test_what_the_rule_process_said_stands_first() -> None:
    finding = Finding(text="does not compile: Unexpected token", line=3)
    assert _check("configuration.A", compiles=finding).problems[0] == finding
