"""What a file is, by its source."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.loading.kind import kind_of
from rules.rule import RuleKind

RULE = "function (user, context, callback) {\n  callback(null, user, context);\n}"


@pytest.mark.parametrize(
    "source",
    [
        RULE,
        f"/**\n * @title A rule\n * exports.onExecutePostLogin = 1;\n */\n// more\n{RULE}\n",
        "async function login(user, context, callback) { exports.onExecutePostLogin = 1; callback(null, user, context); }",
        "(user, context, callback) => callback(null, user, context)",
        f"({RULE});",
        f"{RULE}\nfunction helper() {{ return import('x'); }}",
        "makeRule({ a: 1 })",
        "function (user, context, callback) { callback( }",
        RULE.replace("\n", "\r\n"),
    ],
)
def test_a_function_is_a_rule_also_after_comments_and_one_that_does_not_compile(source: str) -> None:
    assert kind_of(source) == (RuleKind.RULE, 1, "")


@pytest.mark.parametrize(
    ("source", "kind", "line", "word"),
    [
        ("// an action\nexports.onExecutePostLogin = async (event, api) => {};", RuleKind.ACTION, 2, "onExecutePostLogin"),
        ("const x = 1;\nmodule.exports.onContinuePostLogin = async () => {};", RuleKind.ACTION, 2, "onContinuePostLogin"),
        ("exports['onExecutePostLogin'] = async (event, api) => {};", RuleKind.ACTION, 1, "onExecutePostLogin"),
        ("module.exports = { onExecutePostLogin: async (event, api) => {} };", RuleKind.ACTION, 1, "onExecutePostLogin"),
        ("async function onExecutePostLogin() {}\nmodule.exports = { onExecutePostLogin };", RuleKind.ACTION, 2, "not supported"),
        ("module.exports = { async onExecutePostLogin(event, api) {} };", RuleKind.ACTION, 1, "not supported"),
        ("module.exports = { rule: 1 };", RuleKind.OTHER, 1, "`exports`"),
        ("exports . onExecutePreUserRegistration = 1", RuleKind.ACTION, 1, "not supported yet"),
        (f"module.exports = {RULE}", RuleKind.OTHER, 1, "`exports`"),
        ("// x\nfunction* login(user, context, callback) {}", RuleKind.OTHER, 2, "a generator"),
        ("(async function* (user, context, callback) {})", RuleKind.OTHER, 1, "a generator"),
        ("class Login {}", RuleKind.OTHER, 1, "a class"),
        ("exports.rule = 1", RuleKind.OTHER, 1, "`exports`"),
        (f"\nimport x from 'x';\n{RULE}", RuleKind.OTHER, 2, "ES module"),
        ("export default function (user, context, callback) {}", RuleKind.OTHER, 1, "ES module"),
        ("'use strict';\n" + RULE, RuleKind.OTHER, 1, "a text"),
        ("{\n  a: 1 }", RuleKind.OTHER, 1, "an object"),
        ("// one\n(42)", RuleKind.OTHER, 2, "a number"),
        ("// nothing\n;", RuleKind.OTHER, 1, "no function"),
        ("", RuleKind.OTHER, 1, "no function"),
    ],
)
def test_what_is_no_rule_says_what_it_is_and_where(source: str, kind: RuleKind, line: int, word: str) -> None:
    found = kind_of(source)
    assert (found.kind, found.line) == (kind, line)
    assert word in found.problem


@given(st.text() | st.text(alphabet="(){}[];,.=>functioexprsmdl'\"`/*\n ", max_size=80))
def test_any_text_has_a_kind(source: str) -> None:
    found = kind_of(source)
    assert bool(found.problem) == (found.kind is not RuleKind.RULE)
    assert 1 <= found.line <= source.count("\n") + source.count("\r") + 1
