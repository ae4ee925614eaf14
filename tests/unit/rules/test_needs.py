"""What is read from a rule's text. Every text is read without an error, whatever is in it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.analysis.needs import Needs, Use, needs

_WORDS = (
    *(
        "user",
        "context",
        "configuration",
        "auth0",
        "require",
        "x",
        "y",
        "function",
        "class",
        "async",
        "await",
        "delete",
        "new",
        "=>",
    ),
    *(
        "=",
        "{",
        "}",
        "(",
        ")",
        "[",
        "]",
        ".",
        "?.",
        "...",
        ",",
        ";",
        ":",
        "||",
        "??",
        "`",
        "${",
        "'a'",
        '"b"',
        "/c/",
        "1",
        "//",
        "/*",
    ),
    *(
        "*/",
        "\n",
        "\0",
        "\ud800",
        "é",
        "const",
        "let",
        "var",
        "for",
        "of",
        "in",
        "catch",
        "try",
        "if",
        "else",
        "return",
        "<a>",
        "#!",
    ),
)


def _names(uses: tuple[Use, ...]) -> list[str]:
    return [use.name for use in uses]


def _rule(body: str, head: str = "function (user, context, callback)") -> Needs:
    return needs(f"{head} {{\n{body}\n}}")


@given(st.text() | st.lists(st.sampled_from(_WORDS)).map(" ".join) | st.binary().map(lambda data: data.decode("latin-1")))
def test_any_text_is_read_without_an_error(text: str) -> None:
    needs(text)
    _rule(text)


@pytest.mark.parametrize("part", ["(", "a.", "user.", "()=>", "const {a:", "`${", "if(a)", "user[", "[", "!", "x = user; x."])
def test_depth_is_no_limit(part: str) -> None:
    """20,000 functions in one another were once the end of the process: the parser's own way to a parent recurses in C."""
    needs("function (user) {" + part * 5_000)


@pytest.mark.parametrize(
    "head",
    [
        "function (user, context, callback)",
        "function named(user, context, callback)",
        "async function (user, context)",
        "(user, context, callback) =>",
        "/** @title A rule */\n// by us\nasync (user, context, callback) =>",
    ],
)
def test_every_kind_of_function_is_a_rule(head: str) -> None:
    found = _rule("user.a = context.b.c;", head)
    assert (_names(found.user_writes), _names(found.context_reads)) == (["a"], ["b.c"])


def test_the_first_two_parameters_are_user_and_context_whatever_their_names() -> None:
    found = _rule("u.email; c.request.ip; user.not_ours;", "function (u, c, cb)")
    assert (_names(found.user_reads), _names(found.context_reads)) == (["email"], ["request.ip"])


def test_a_file_that_is_no_function_has_no_user() -> None:
    assert needs("user.email; context.request.ip").user_reads == ()


@pytest.mark.parametrize(
    ("body", "reads"),
    [
        ("const r = context.request; r.ip;", ["request.ip"]),
        ("const { request: { ip }, clientName: name = 'x' } = context; ip; name;", ["request.ip", "clientName"]),
        ("const q = context.request.query || {}; q.prompt;", ["request.query.prompt"]),
        ("(context.request).query['prompt'];", ["request.query.prompt"]),
        ("context.request?.query?.[`prompt`];", ["request.query.prompt"]),
        ("function f(request) { return request.ip; } f(context.request);", ["request.ip"]),
        ("const f = (c) => c.clientID; f(context);", ["clientID"]),
        ("context.clientName.toLowerCase();", ["clientName"]),
        ("context.connection[name];", ["connection.*"]),
        ("let r; r = context.request; r.ip;", ["request.ip"]),
        ("(function () { return context.protocol; })();", ["protocol"]),
        ("callback(null, user, context);", []),
    ],
)
def test_members_are_followed_through_names_patterns_and_functions(body: str, reads: list[str]) -> None:
    assert sorted(_names(_rule(body).context_reads)) == sorted(reads)


def test_a_name_that_is_declared_again_is_another_one() -> None:
    assert _rule("[1].map(function (user) { return user.a; }); { let context = {}; context.b; }") == Needs()


@pytest.mark.parametrize(
    "body",
    ["user.a = 1;", "user.a += 1;", "user.a++;", "delete user.a;", "const u = user; u['a'] = 1;", "user.a = user.a || {};"],
)
def test_a_change_is_a_write(body: str) -> None:
    assert _names(_rule(body).user_writes) == ["a"]


def test_keys_of_configuration_are_named_and_a_computed_one_is_a_star() -> None:
    body = "configuration.A; configuration['B']; const { C } = configuration; f(configuration); configuration[x];"
    found = _rule(f"{body} configuration.D.length;")
    assert sorted(_names(found.configuration)) == ["*", "A", "B", "C", "D"]


def test_members_of_auth0_keep_their_method() -> None:
    found = _rule("auth0.users.updateAppMetadata(user.user_id, {}); new Client({ token: auth0.accessToken });")
    assert _names(found.auth0) == ["users.updateAppMetadata", "accessToken"]


def test_modules_are_literal_texts_with_their_line_and_everything_else_is_computed() -> None:
    found = _rule(
        "require('a@1.0.0');\nconst b = require(`b`)(x), c = require(name);\nrequire(`c${1}`); require('a@1.0.0'); require();"
    )
    assert found.modules == (Use(name="a@1.0.0", line=2), Use(name="b", line=3))
    assert _names(found.computed_modules) == ["name", "`c${1}`", ""]


def test_a_require_of_ones_own_is_none() -> None:
    assert _rule("const require = (x) => x; require('a');").modules == ()


@pytest.mark.parametrize(
    ("body", "free"),
    [
        ("jwt.sign({});", ["jwt"]),
        ("const jwt = require('jsonwebtoken'); jwt.sign({});", ["require"]),
        ("if (x) { var y = 1; } y; z;", ["x", "z"]),
        ("{ let y = 1; } y;", ["y"]),
        ("try {} catch (e) { e; } for (const k of []) k; for (var i = 0; i; i++) {} i;", []),
        ("({ _ });", ["_"]),
        ("const { a, b: [c], ...d } = {}; a; b; c; d;", ["b"]),
        ("class A { m(p) { return p; } } new A();", []),
        ("a.request; ({ request: 1 });", ["a"]),
    ],
)
def test_names_that_nothing_declares_are_free(body: str, free: list[str]) -> None:
    assert _names(_rule(body).free_names) == free
