"""What a file of the rules' folder is: decided here and nowhere else, by its syntax. Pure.

A rule is one function expression; whether an expression gives a function (a call, a name) is seen when the rule process loads
it, which also reports what does not compile.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from tree_sitter import Node

from rules.loading.syntax import parse
from rules.rule import RuleKind

_EXPORTS: Final = re.compile(r"""(?:module\.)?exports(?:\.(\w+)|\[["'](\w+)["']\])?""")
_ACTION: Final = re.compile(r"on[A-Z]\w*")
_SKIPPED: Final = frozenset({"comment", "html_comment", "hash_bang_line", "empty_statement"})
#: What is no function that a call runs, whatever is in it.
_VALUES: Final = {
    "string": "a text",
    "template_string": "a text",
    "number": "a number",
    "object": "an object",
    "array": "an array",
    "regex": "a regular expression",
    "true": "true",
    "false": "false",
    "null": "null",
    "undefined": "undefined",
    "class": "a class",
    "class_declaration": "a class",
    "generator_function": "a generator",
    "generator_function_declaration": "a generator",
}


class FileKind(NamedTuple):
    kind: RuleKind
    #: From 1: where that is seen.
    line: int = 1
    #: Why it is no rule, and what to do; empty for a rule.
    problem: str = ""


def kind_of(source: str) -> FileKind:
    """Returns what a `.js` file is by its source."""
    statements = [node for node in parse(source).root_node.named_children if node.type not in _SKIPPED]
    for node in statements:
        if found := _exported(node):
            return found
    if not statements:
        return FileKind(RuleKind.OTHER, problem="holds no function; a rule is `function (user, context, callback) { … }`")
    return _begins_with(statements[0])


def _exported(node: Node) -> FileKind | None:
    line = node.start_point[0] + 1
    if node.type in ("import_statement", "export_statement"):
        problem = "is an ES module; a rule is one function without `import` and `export` (`require` is there)"
        return FileKind(RuleKind.OTHER, line, problem)
    for name in _assigned(node):
        if name and _ACTION.fullmatch(name):
            return FileKind(RuleKind.ACTION, line, f"is an Action (`exports.{name}`), which is not supported yet")
        return FileKind(RuleKind.OTHER, line, "is a module with `exports`; a rule is the function alone, without `exports`")
    return None


def _assigned(node: Node) -> Iterator[str]:
    """Yields the name of what an assignment to `exports` exports; of an object that is all of it the first member; else empty."""
    expression = node.named_children[0] if node.type == "expression_statement" and node.named_children else None
    left = expression.child_by_field_name("left") if expression and expression.type == "assignment_expression" else None
    if left and left.text and (match := _EXPORTS.fullmatch("".join(left.text.decode("utf-8", "replace").split()))):
        yield match[1] or match[2] or _first_member(expression.child_by_field_name("right") if expression else None)


def _first_member(node: Node | None) -> str:
    members = node.named_children if node is not None and node.type == "object" else []
    for member in members:
        name = member.child_by_field_name("key") or member.child_by_field_name("name") or member
        if name.type in ("property_identifier", "shorthand_property_identifier") and name.text:
            return name.text.decode("utf-8", "replace")
    return ""


def _begins_with(node: Node) -> FileKind:
    expression = node
    while expression.type in ("expression_statement", "parenthesized_expression") and expression.named_children:
        expression = expression.named_children[0]
    if what := _VALUES.get(expression.type):
        line = expression.start_point[0] + 1
        return FileKind(
            RuleKind.OTHER, line, f"is {what}, not a function; a rule is `function (user, context, callback) {{ … }}`"
        )
    return FileKind(RuleKind.RULE)
