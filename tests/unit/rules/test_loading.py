"""A folder of rules: what runs in which order, and one line with file and line for everything that is wrong."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.loading.configuration import read_configuration
from rules.loading.files import FileUnusable
from rules.loading.folder import load_configuration, load_files, load_folder
from rules.loading.manifest import RulesManifest, parse_manifest
from rules.loading.yaml_file import YamlInvalid
from shared.errors import ConfigurationError
from shared.words import OnError

RULE = "function (user, context, callback) { callback(null, user, context); }\n"
Folder = Callable[..., Path]


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """Writes rules a, b and c, and other files by their names (`a_json` is `a.json`)."""

    def write(names: str = "abc", /, **files: str) -> Path:
        for name in names:
            (tmp_path / f"{name}.js").write_text(RULE)
        for name, text in files.items():
            (tmp_path / name.replace("_", ".")).write_text(text)
        return tmp_path

    return write


def _running(folder: Path) -> list[str]:
    return [rule.name for rule in load_folder(folder).rule_set.rules if rule.enabled]


def _problems(folder: Path) -> list[str]:
    """The lines without the folder in front."""
    try:
        return [one.problem.removeprefix(f"{folder}/") for one in load_folder(folder).broken]
    except ConfigurationError as error:
        return [problem.removeprefix(f"{folder}/") for problem in error.problems]


def test_without_a_word_about_them_rules_run_in_the_order_of_their_names(folder: Folder) -> None:
    assert _running(folder("cab")) == ["a", "b", "c"]


def test_what_rules_yaml_names_runs_first_and_the_rest_behind_it(folder: Folder) -> None:
    manifest = "rules:\n  - c\n  - name: a\n    enabled: false\n"
    path = folder("abcd", rules_yaml=manifest, d_json='{"order": 1, "stage": "login_failure"}')
    assert _running(path) == ["c", "b", "d"]
    assert load_folder(path).ordered_by == "rules.yaml"


def test_everything_that_rules_yaml_says_of_a_rule_arrives(folder: Folder) -> None:
    manifest = """
        since: 2026-11-18
        events: [ssa]
        modules: {stripe: 8.222.0, "@slack/web-api": 6.0.0-rc.1}
        rules:
          - {name: b, events: [s, sepft], timeout: 2.5, on_error: hold}
    """
    rules = load_folder(folder("ab", rules_yaml=manifest)).rule_set
    b, a = rules.rules
    assert (b.events, b.timeout, b.on_error) == (frozenset({"s", "sepft"}), 2.5, OnError.HOLD)
    assert (a.events, a.timeout, a.on_error) == (frozenset({"ssa"}), None, None)
    assert rules.modules == {"stripe": "8.222.0", "@slack/web-api": "6.0.0-rc.1"}
    assert rules.since == datetime(2026, 11, 18, tzinfo=UTC)


def test_an_export_of_the_deploy_cli_says_order_and_enabled(folder: Folder) -> None:
    exports = {"a": (3, True), "b": (1, True), "c": (2, False)}
    files = {
        f"{name}_json": json.dumps({"enabled": enabled, "order": order, "script": f"./{name}.js", "stage": "login_success"})
        for name, (order, enabled) in exports.items()
    }
    assert _running(folder("abcd", **files)) == ["b", "a", "d"]


@given(st.dictionaries(st.sampled_from("abcde"), st.none() | st.integers(-2, 2) | st.floats(-1, 1), min_size=1))
def test_rules_of_an_export_run_by_order_then_name_and_those_without_an_order_last(orders: dict[str, float | None]) -> None:
    with TemporaryDirectory() as name:
        for rule, order in orders.items():
            Path(name, f"{rule}.js").write_text(RULE)
            Path(name, f"{rule}.json").write_text(json.dumps({"order": order}))
        placed = sorted((order, rule) for rule, order in orders.items() if order is not None)
        assert _running(Path(name)) == [rule for _, rule in placed] + sorted(rule for rule in orders if orders[rule] is None)


@given(st.permutations("abcd"), st.integers(0, 4))
def test_rules_that_rules_yaml_names_run_in_its_order_and_the_others_behind_them_by_name(names: list[str], named: int) -> None:
    with TemporaryDirectory() as name:
        for rule in names:
            Path(name, f"{rule}.js").write_text(RULE)
        Path(name, "rules.yaml").write_text(f"rules: [{', '.join(names[:named])}]")
        assert _running(Path(name)) == names[:named] + sorted(names[named:])


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("rules:\n  - a\n  - b\n  - a\n", "rules.yaml:4: the rule 'a' is named twice (first in line 2); remove one"),
        ("rules: [a, x]\n", "rules.yaml:1: there is no file 'x.js' in the folder"),
        ("rules:\n- a.js\n", "rules.yaml:2: a rule is named without `.js`: write 'a'"),
        ("rules:\n  - ../a\n", "rules.yaml:2: '../a' is a path;"),
        ("rules:\n  - name: b/c\n", "rules.yaml:2: 'b/c' is a path;"),
        ("rules:\n  - name: ''\n", "rules.yaml:2: '' is a path;"),
        ("rule: [a]\n", "rules.yaml:1: rules.yaml has no key 'rule'; did you mean 'rules'?"),
        ("rules:\n- name: a\n  enable: true\n", "rules.yaml:3: a rule has no key 'enable'; did you mean 'enabled'?"),
        ("rules:\n- {name: a, enabled: maybe}\n", "rules.yaml:2: `enabled` must be true or false, not 'maybe'"),
        ("rules:\n- enabled: true\n", "rules.yaml:2: a rule must have a `name`"),
        ("rules: [a]\nrules: [b]\n", "rules.yaml:2: rules.yaml has the key 'rules' twice (first in line 1); remove one"),
        ("rules: a\n", "rules.yaml:1: `rules` must be a list, not 'a'"),
        ("rules:\n", "rules.yaml:1: `rules` must be a list, not empty"),
        ("- a\n", "rules.yaml:1: rules.yaml must be a mapping, not a list"),
        ("rules: [a\nevents: [s]\n", "rules.yaml:2: is not valid YAML ("),
        ("events: [s, limit_wx]\n", "rules.yaml:1: 'limit_wx' is no log event type; did you mean limit_wc?"),
        ("events: []\n", "rules.yaml:1: `events` is empty;"),
        ("rules:\n- {name: a, timeout: 20s}\n", "rules.yaml:2: `timeout` must be a number of seconds"),
        ("rules:\n- {name: a, timeout: 0}\n", "rules.yaml:2: `timeout` must be a number of seconds"),
        ("rules:\n- {name: a, on_error: retry}\n", "rules.yaml:2: `on_error` must be one of deliver, hold, dead-letter"),
        ("modules:\n  axios: ^0.21.1\n", "rules.yaml:2: the version of axios must be an exact one such as 1.2.3, not '^0.21.1'"),
        ("modules:\n  ../axios: 0.21.1\n", "rules.yaml:2: '../axios' is no name of a module"),
        ("since: yesterday\n", "rules.yaml:1: `since` must be a date such as"),
        ("rules: \x07\n", "rules.yaml:1: holds a character that YAML does not allow"),
        ("a: 1\n---\nb: 2\n", "rules.yaml:2: is not valid YAML ("),
        ("[" * 5000, "rules.yaml:1: is nested too deeply"),
    ],
)
def test_rules_yaml_is_refused_with_the_line_where_it_is_wrong(folder: Folder, text: str, line: str) -> None:
    (problem,) = _problems(folder(rules_yaml=text))
    assert problem.startswith(line)


@given(st.text() | st.text(alphabet=":-[]{}&*!|>'\"#%@`, \nabrulesnm", max_size=60))
def test_any_text_is_a_manifest_or_is_refused_with_a_line_of_it(text: str) -> None:
    try:
        found: object = parse_manifest(text, ["a"])
    except YamlInvalid as invalid:
        found = invalid
    match found:
        case YamlInvalid():
            assert 1 <= found.line <= len(text.splitlines()) + 1
            assert str(found)
        case _:
            assert isinstance(found, RulesManifest)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('{"stage": "pre_authorize"}', "a.json: has the stage 'pre_authorize'; only rules of the stage 'login_success' run here"),
        ('{"stage": 1}', "a.json: has a stage that is no text;"),
        ('{"order": "1"}', "a.json: `order` must be a number"),
        ('{"order": NaN}', "a.json: `order` must be a number"),
        ('{"enabled": 1}', "a.json: `enabled` must be true or false"),
        ('{"script": "./b.js"}', "a.json: `script` is './b.js', and must be './a.js'"),
        ('{"script": "../a.js"}', "a.json: `script` is '../a.js', and must be './a.js'"),
        ('{"order": 1,\n "order": 2}', "a.json: has 'order' twice; remove one"),
        ('{"order": 1,\n}', "a.json:2: is not valid JSON ("),
        ("[]", "a.json: must be one JSON object, not an array"),
    ],
)
def test_an_export_is_refused_by_name_and_the_other_rules_stay(folder: Folder, text: str, line: str) -> None:
    path = folder(a_json=text)
    (problem,) = _problems(path)
    assert problem.startswith(line)
    assert _running(path) == ["b", "c"]


def test_a_rule_of_another_stage_that_is_not_enabled_is_left_alone(folder: Folder) -> None:
    path = folder(a_json='{"stage": "pre_authorize", "enabled": false}')
    assert (_running(path), _problems(path)) == (["b", "c"], [])


@pytest.mark.parametrize(
    ("name", "content", "line"),
    [
        ("x.js", b"exports.onExecutePostLogin = async () => {};", "x.js:1: is an Action (`exports.onExecutePostLogin`)"),
        ("x.js", b"\nexport default 1;", "x.js:2: is an ES module;"),
        ("x.js", b"// c\n42", "x.js:2: is a number, not a function;"),
        ("x.js", b"", "x.js:1: holds no function;"),
        ("x.js", b"function () {}\n// caf\xe9", "x.js:2: is not UTF-8 text (byte 0xe9); save it as UTF-8"),
        ("x.js", "function () {}".encode("utf-16"), "x.js:1: is not UTF-8 text (byte 0xff)"),
        ("x.js", b"//" + b" " * 5_000_000, "x.js: is larger than 1,000,000 bytes, which a rule cannot be"),
        ("x.ts", b"function (user: any) {}", "x.ts: is TypeScript; compile it to JavaScript first"),
        ("x.mjs", b"export default 1", "x.mjs: is an ES module;"),
        ("x.JS", RULE.encode(), "x.JS: a rule is a file whose name ends with `.js`; rename it"),
        ("x\n.js", RULE.encode(), "x\n.js: a rule is a file whose name ends with `.js`; rename it"),
    ],
)
def test_a_file_that_is_no_rule_is_named_and_the_other_rules_stay(folder: Folder, name: str, content: bytes, line: str) -> None:
    path = folder()
    (path / name).write_bytes(content)
    (problem,) = _problems(path)
    assert problem.startswith(line)
    assert _running(path) == ["a", "b", "c"]


def test_a_pipe_or_a_dangling_link_is_named_and_not_waited_for(folder: Folder) -> None:
    path = folder()
    os.mkfifo(path / "x.js")
    (path / "y.js").symlink_to("nowhere.js")
    x, y = _problems(path)
    assert "is not a regular file" in x
    assert "there is no such file" in y


def test_what_is_no_rule_by_its_name_is_left_alone(folder: Folder) -> None:
    path = folder("a", a_test_js="test()", package_json="{", README_md="")
    (path / ".hidden.js").write_text("42")
    (path / "a.ts").write_text("its source")
    (path / "folder.js").mkdir()
    (path / "node_modules").mkdir()
    assert (_running(path), _problems(path)) == (["a"], [])


def test_byte_order_mark_carriage_returns_and_header_comments_stay_a_rule(tmp_path: Path) -> None:
    (tmp_path / "a.js").write_bytes(b"\xef\xbb\xbf/**\r\n * @title A\r\n */\r\n" + RULE.encode())
    (rule,) = load_folder(tmp_path).rule_set.rules
    assert rule.source.startswith("/**\r\n")


@pytest.mark.parametrize(("name", "word"), [("empty", "holds no rule"), ("missing", "no such folder"), ("file", "is no folder")])
def test_a_folder_without_rules_is_one_line(tmp_path: Path, name: str, word: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match=word):
        load_folder(tmp_path / name)


def test_a_chain_of_files_keeps_the_order_given_and_names_every_file_that_is_wrong(folder: Folder, tmp_path: Path) -> None:
    path = folder()
    assert [rule.name for rule in load_files([path / "c.js", path / "a.js"])] == ["c", "a"]
    (path / "sub").mkdir()
    (path / "sub" / "a.js").write_text(RULE)
    with pytest.raises(ConfigurationError) as caught:
        load_files([path / "a.js", path / "sub" / "a.js", path / "none.js", path / "a.txt"])
    same, none, text = caught.value.problems
    assert "has the same name" in same
    assert "no such file" in none
    assert "ends with `.js`" in text


@pytest.mark.parametrize(
    ("name", "text", "values"),
    [
        ("c.json", '{"KEY": "s3cr3t", "LIMIT": 5}', {"KEY": "s3cr3t", "LIMIT": 5}),
        ("c", ' {"KEY": "a"}', {"KEY": "a"}),
        ("c.env", "# c\nexport KEY='a b'\nEMPTY=\nREF=${HOME}\n", {"KEY": "a b", "EMPTY": "", "REF": "${HOME}"}),
        ("c.env", "", {}),
    ],
)
def test_the_configuration_is_json_or_lines(tmp_path: Path, name: str, text: str, values: dict[str, object]) -> None:
    (tmp_path / name).write_text(text)
    assert load_configuration(tmp_path / name) == values


@pytest.mark.parametrize(
    ("name", "text", "line"),
    [
        ("c.json", '{"KEY": "canary"\n"B": 1}', "c.json:2: is not valid JSON ("),
        ("c.json", '{"KEY": "canary", "KEY": "canary"}', "c.json: has 'KEY' twice; remove one"),
        ("c.json", '"canary"', "c.json: must be one JSON object, not a text"),
        ("c.json", "", "c.json:1: is not valid JSON ("),
        ("c.env", "A=canary\n\n=canary\n", "c.env:3: cannot be understood;"),
        ("c.env", "A=canary\n\ncanary\n", "c.env:3: cannot be understood;"),
        ("c.env", "A=canary\nA=canary\n", "c.env:2: A stands twice; remove one"),
    ],
)
def test_a_broken_configuration_is_refused_with_its_line_and_without_a_value(
    tmp_path: Path, name: str, text: str, line: str
) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        load_configuration(tmp_path / name)
    assert str(caught.value).startswith(f"{tmp_path}/{line}")
    assert "canary" not in str(caught.value)


def test_a_configuration_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no such file"):
        load_configuration(tmp_path / "none.json")


def test_any_bytes_are_a_configuration_or_are_refused(tmp_path: Path) -> None:
    rnd, path = random.Random(14), tmp_path / "c.env"
    alphabet = b"AB=\n\"'\\#${}[]: \xff\xc3\xa9\x00"
    for _ in range(300):
        path.write_bytes(bytes(rnd.choices(alphabet, k=rnd.randrange(40))))
        try:
            said = read_configuration(path)
        except FileUnusable as error:
            said = {str(error): ""}
        assert all(isinstance(value, str) for value in said.values())


_BYTES = st.binary(max_size=60) | st.text(alphabet="rules:-{}[]ab,\"'\n \t#&*!1.", max_size=60).map(str.encode)


@given(st.dictionaries(st.sampled_from(["a.js", "a.json", "b.js", "b.json", "b.ts", "rules.yaml"]), _BYTES, min_size=1))
def test_a_folder_of_any_files_is_read_or_refused_with_lines_that_name_a_file(files: dict[str, bytes]) -> None:
    with TemporaryDirectory() as name:
        folder = Path(name)
        for file, content in files.items():
            (folder / file).write_bytes(content)
        assert all(problem.startswith(("a.", "b.", "rules.yaml")) or "holds no rule" in problem for problem in _problems(folder))
