"""Which members of `user`, `context`, `configuration` and `auth0` a rule reads and writes. Pure.

Followed are: names (`const request = context.request`), patterns (`const {ip} = context.request`), defaults
(`user.app_metadata || {}`) and functions of the same file that get such a value. What a rule reads by a name that it computes
is `*`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from tree_sitter import Node

from rules.analysis.scopes import FUNCTIONS, Binding, ScopedNames, parameters, text

Path = tuple[str, ...]

#: Members of a path, with its root: what lies deeper is of no interest.
_LONGEST: Final = 9
#: How often an alias of an alias is followed.
_ROUNDS: Final = 4
_FREE_ROOTS: Final = frozenset({"configuration", "auth0"})
_MEMBERS: Final = frozenset({"member_expression", "subscript_expression"})
_TRANSPARENT: Final = frozenset({"parenthesized_expression", "await_expression"})


@dataclass(frozen=True, slots=True)
class MemberAccess:
    path: Path
    #: From 1.
    line: int
    writes: bool
    #: Something stands in where it is not there: `x.a || b`, `x.a ?? b`, `{a = b} = x`, `x.a ? b : c`, `typeof x.a`.
    spared: bool = False


class Paths:
    """`rule`: the function whose first two parameters are `user` and `context`."""

    def __init__(self, names: ScopedNames, rule: Node) -> None:
        self._names = names
        self._paths: dict[Binding, Path] = {}
        self._accesses: dict[int, MemberAccess] = {}
        for parameter, root in zip(parameters(rule), ("user", "context"), strict=False):
            self._bind(parameter, (root,))
        for _ in range(_ROUNDS):
            known = len(self._paths)
            self._follow()
            if len(self._paths) == known:
                break

    def accesses(self) -> list[MemberAccess]:
        """Returns every use of a member, in the order of the text."""
        for node in self._names.nodes:
            if node.type in _MEMBERS or node.type == "identifier":
                self._use(node)
        return sorted(self._accesses.values(), key=lambda access: access.line)

    def of(self, node: Node | None) -> Path | None:
        """Returns the path of an expression, or None if it is none of ours."""
        parts: list[str] = []
        while node:
            if node.type in _MEMBERS:
                parts.append(_member(node))
                node = node.child_by_field_name("object")
            elif node.type in _TRANSPARENT:
                node = next(iter(node.named_children), None)
            elif node.type in ("binary_expression", "assignment_expression"):
                node = node.child_by_field_name("left") if _keeps_left(node) else None
            elif node.type in ("identifier", "shorthand_property_identifier"):
                root = self._root(node)
                return (*root, *reversed(parts))[:_LONGEST] if root else None
            else:
                return None
        return None

    def _root(self, node: Node) -> Path | None:
        if binding := self._names.binding(node):
            return self._paths.get(binding)
        return (name,) if (name := text(node)) in _FREE_ROOTS else None

    def _follow(self) -> None:
        for node in self._names.nodes:
            if node.type == "variable_declarator":
                self._alias(node.child_by_field_name("name"), node.child_by_field_name("value"))
            elif node.type == "assignment_expression":
                left = node.child_by_field_name("left")
                if left and left.type in ("identifier", "object_pattern"):
                    self._alias(left, node.child_by_field_name("right"))
            elif node.type == "call_expression":
                self._call(node)

    def _alias(self, pattern: Node | None, value: Node | None) -> None:
        if pattern and (path := self.of(value)):
            self._bind(pattern, path)

    def _call(self, call: Node) -> None:
        callee, arguments = call.child_by_field_name("function"), call.child_by_field_name("arguments")
        binding = self._names.binding(callee) if callee and callee.type == "identifier" else None
        if binding and binding.function and arguments:
            values = [node for node in arguments.named_children if node.type != "comment"]
            for parameter, value in zip(parameters(binding.function), values, strict=False):
                self._alias(parameter, value)

    def _bind(self, pattern: Node, path: Path) -> None:
        """The first value of a name counts: `user = user || {}` stays the user."""
        stack = [(pattern, path)]
        while stack:
            node, at = stack.pop()
            if node.type in ("assignment_pattern", "object_assignment_pattern"):
                stack += [(left, at) for left in [node.child_by_field_name("left")] if left]
            elif node.type in ("object_pattern", "array_pattern"):
                stack += [(child, at) for child in node.named_children if node.type == "object_pattern"]
                stack += [(child, (*at, "*")) for child in node.named_children if node.type == "array_pattern"]
            elif node.type == "pair_pattern":
                key, value = node.child_by_field_name("key"), node.child_by_field_name("value")
                if key and value:
                    self._record(key, (*at, _key(key)))
                    stack.append((value, (*at, _key(key))))
            elif node.type == "shorthand_property_identifier_pattern":
                self._record(node, (*at, text(node)))
                self._name(node, (*at, text(node)))
            elif node.type == "identifier":
                self._name(node, at)

    def _name(self, node: Node, path: Path) -> None:
        if binding := self._names.binding(node):
            self._paths.setdefault(binding, path)

    def _use(self, node: Node) -> None:
        parent = self._names.parent(node)
        if parent is None or (parent.type in _MEMBERS and parent.child_by_field_name("object") == node):
            return  # the longer expression around it counts
        path = self.of(node)
        if not path or self._is_alias(parent, node):
            return
        if parent.type == "call_expression" and parent.child_by_field_name("function") == node and path[0] != "auth0":
            path = path[:-1]
        if len(path) > 1:
            self._record(node, path, writes=_is_written(parent, node))
        elif path == ("configuration",) and parent.type not in FUNCTIONS:
            self._record(node, ("configuration", "*"))

    def _is_alias(self, parent: Node, node: Node) -> bool:
        """Whether the expression only gives its value another name, whose own uses are recorded."""
        if parent.type != "variable_declarator" or parent.child_by_field_name("value") != node:
            return False
        name = parent.child_by_field_name("name")
        return name is not None and name.type in ("identifier", "object_pattern")

    def _record(self, node: Node, path: Path, *, writes: bool = False) -> None:
        self._accesses[node.id] = MemberAccess(path, node.start_point.row + 1, writes, self._is_spared(node))

    def _is_spared(self, node: Node) -> bool:
        parent = self._names.parent(node)
        while parent and parent.type == "parenthesized_expression":
            node, parent = parent, self._names.parent(parent)
        if parent is None:
            return False
        if parent.type == "binary_expression":
            return text(parent.child_by_field_name("operator")) in ("||", "??") and parent.child_by_field_name("left") == node
        if parent.type == "ternary_expression":
            return parent.child_by_field_name("condition") == node
        if parent.type == "unary_expression":
            return text(parent.child_by_field_name("operator")) == "typeof"
        return parent.type == "object_assignment_pattern"


def _member(node: Node) -> str:
    if node.type == "member_expression":
        return text(node.child_by_field_name("property"))
    index = node.child_by_field_name("index")
    return _key(index) if index else "*"


def _key(node: Node) -> str:
    """Returns the name that a literal key has; `*` for one that is computed."""
    if node.type in ("property_identifier", "number"):
        return text(node)
    if node.type == "string" or (node.type == "template_string" and "${" not in text(node)):
        return text(node)[1:-1]
    return "*"


def _keeps_left(node: Node) -> bool:
    operator = node.child_by_field_name("operator")
    return node.type == "assignment_expression" or text(operator) in ("||", "??")


def _is_written(parent: Node, node: Node) -> bool:
    if parent.type in ("assignment_expression", "augmented_assignment_expression"):
        return parent.child_by_field_name("left") == node
    if parent.type == "unary_expression":
        return text(parent.child_by_field_name("operator")) == "delete"
    return parent.type == "update_expression"
