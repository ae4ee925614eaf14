"""Every log line of the product stands in docs/operations.md with its level, and nothing else does."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

ROOT = Path(__file__).parents[2]
PRODUCT = ("shared", "producer", "consumer", "rules", "simulator", "admin")
LEVELS = ("debug", "info", "warning", "error", "critical")
#: Sentences that a log call is given: docs/operations.md says in words what they are.
HANDED_IN: Final = (
    ("shared/logging.py", "sentence"),  # the last line of a process
    ("admin/compose.py", "note"),  # the notes of the settings
)
#: Where a sentence is taken from a dictionary of the same module: what is passed → its name.
DICTIONARIES: Final = {"_FATES[fate]": "_FATES", "advice": "_SENTENCES"}


class LogCalls:
    """One module: the log calls in it."""

    def __init__(self, text: str) -> None:
        nodes = list(ast.walk(ast.parse(text)))
        self._calls = [node for node in nodes if isinstance(node, ast.Call) and node.args]
        #: Names of texts that `+=` makes longer.
        self._grown = {ast.unparse(node.target) for node in nodes if isinstance(node, ast.AugAssign)}
        #: Name → every value that it is given.
        self._assigned: dict[str, list[ast.expr]] = {}
        for node in nodes:
            match node:
                case (
                    ast.Assign(targets=[ast.Name(id=name)], value=value)
                    | ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value)
                ):
                    self._assigned.setdefault(name, []).append(value)

    def lines(self, name: str) -> Iterator[tuple[str, set[str], str]]:
        """Returns sentence (`…` for what changes), levels and place of each log call."""
        for call in self._calls:
            levels = self._levels(call)
            if levels and (name, ast.unparse(call.args[0])) not in HANDED_IN:
                yield from ((sentence, levels, f"{name}:{call.lineno}") for sentence in self._sentences(call.args[0]))

    def _levels(self, call: ast.Call) -> set[str]:
        """Of `log.info(…)`, of `write(…)` with `write = log.info if … else log.error`, of `f(…, log.info)`; else empty."""
        if isinstance(call.func, ast.Name):
            nodes = [node for value in self._assigned.get(call.func.id, ()) for node in ast.walk(value)]
            return {level for node in nodes if (level := _level(node))}
        return {level for node in (call.func, *call.args) if (level := _level(node))}

    def _sentences(self, node: ast.expr) -> list[str]:
        source = ast.unparse(node)
        if isinstance(node, ast.Constant | ast.JoinedStr):
            return [_text(node)]
        if source in DICTIONARIES:
            (values,) = self._assigned[DICTIONARIES[source]]
            assert isinstance(values, ast.Dict)
            return [re.sub(r"\{\w+\}", "…", _text(value)) for value in values.values]
        assert source in self._assigned, f"where does {source} come from?"
        return [_text(value) + ("…" if source in self._grown else "") for value in self._assigned[source]]


def _level(node: ast.AST) -> str:
    """The level of `log.info`, where `log` is a logger; else nothing."""
    if not isinstance(node, ast.Attribute) or node.attr not in LEVELS:
        return ""
    logger = ast.unparse(node.value)
    return node.attr if logger.endswith("log") or logger.startswith("get_logger(") else ""


def _text(node: ast.expr) -> str:
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=parts):
            return "".join("…" if isinstance(part, ast.FormattedValue) else _text(part) for part in parts)
    raise AssertionError(f"no text: {ast.unparse(node)}")


def _documented() -> dict[str, set[str]]:
    """Returns the levels by sentence, of all tables of the section."""
    section = (ROOT / "docs/operations.md").read_text().split("\n## Log lines\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| `(.+?)` \| ([a-z, ]+) \| .+ \|$", section.replace("| `event` | level | means |", ""), re.MULTILINE)
    assert len(rows) == section.count("\n| `") - section.count("\n| `event` |"), "a row that cannot be read"
    assert len(rows) == len(dict(rows)), "a line that stands twice"
    return {sentence: set(levels.split(", ")) for sentence, levels in rows}


def test_every_log_line_stands_in_the_documentation_with_its_level_and_nothing_else_does() -> None:
    written: dict[str, set[str]] = {}
    where: dict[str, str] = {}
    for file in (file for folder in PRODUCT for file in sorted((ROOT / folder).rglob("*.py"))):
        for sentence, levels, place in LogCalls(file.read_text()).lines(str(file.relative_to(ROOT))):
            written.setdefault(sentence, set()).update(levels)
            where[sentence] = place
    documented = _documented()
    missing = {sentence: where[sentence] for sentence in sorted(written.keys() - documented.keys())}
    assert missing == {}, "add a row to docs/operations.md, Log lines"
    assert sorted(documented.keys() - written.keys()) == [], "a row of a line that is not written any more"
    assert written == documented, "another level"


def test_log_calls_of_every_form_are_found() -> None:
    source = LogCalls("""
log.info("a")
our_log.error(f"b {x} c")
write = log.error if y else log.warning
write("d")
self._log("e", z, log.debug)
sentence = "f"
log.info(sentence)
long = "g"
long += "h"
log.info(long)
other.info("i")
print("j")
""")
    found = {(sentence, *sorted(levels)) for sentence, levels, _ in source.lines("x.py")}
    assert found == {("a", "info"), ("b … c", "error"), ("d", "error", "warning"), ("e", "debug"), ("f", "info"), ("g…", "info")}
