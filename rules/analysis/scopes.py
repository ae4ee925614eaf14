"""Which declaration each name of a JavaScript file belongs to. Pure; every loop keeps its own stack, so depth is no limit.

What is no JavaScript is in nodes of the type ERROR, and its names are read all the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from tree_sitter import Node

from rules.loading.syntax import parse

FUNCTIONS: Final = frozenset(
    {"function_expression", "function_declaration", "arrow_function", "method_definition"}
    | {"generator_function", "generator_function_declaration"}
)
_BLOCKS: Final = FUNCTIONS | {"program", "statement_block", "for_statement", "for_in_statement", "catch_clause", "switch_body"}
_NAMES: Final = frozenset({"identifier", "shorthand_property_identifier"})
_PATTERN_NAMES: Final = frozenset({"identifier", "shorthand_property_identifier_pattern"})
_ASSIGNED: Final = frozenset({"assignment_pattern", "object_assignment_pattern"})


@dataclass(eq=False, slots=True)
class Binding:
    """One declared name."""

    name: str
    #: The function that it is declared as or initialised with, if any.
    function: Node | None = None


@dataclass(eq=False, slots=True)
class _Scope:
    parent: _Scope | None
    is_function: bool
    names: dict[str, Binding] = field(default_factory=dict)

    def declare(self, name: str) -> Binding:
        return self.names.setdefault(name, Binding(name))

    def find(self, name: str) -> Binding | None:
        scope: _Scope | None = self
        while scope:
            if binding := scope.names.get(name):
                return binding
            scope = scope.parent
        return None

    @property
    def of_function(self) -> _Scope:
        scope = self
        while not scope.is_function and scope.parent:
            scope = scope.parent
        return scope


def text(node: Node | None) -> str:
    return (node.text or b"").decode("utf-8", "replace") if node else ""


def walk(node: Node) -> Iterator[Node]:
    """Yields the node and everything below it, in the order of the text."""
    stack = [node]
    while stack:
        current = stack.pop()
        yield current
        stack.extend(reversed(current.children))


def pattern_names(pattern: Node | None) -> Iterator[Node]:
    """Yields the names that a parameter or the left side of a declaration declares, default values left out."""
    stack = [pattern] if pattern else []
    while stack:
        node = stack.pop()
        if node.type in _PATTERN_NAMES:
            yield node
        elif node.type in _ASSIGNED:
            stack += filter(None, [node.child_by_field_name("left")])
        elif node.type == "pair_pattern":
            stack += filter(None, [node.child_by_field_name("value")])
        elif node.type in ("object_pattern", "array_pattern", "rest_pattern", "formal_parameters"):
            stack.extend(node.named_children)


def parameters(function: Node) -> list[Node]:
    single = function.child_by_field_name("parameter")
    several = function.child_by_field_name("parameters")
    return [single] if single else [node for node in several.named_children if node.type != "comment"] if several else []


class ScopedNames:
    """The names of one file."""

    def __init__(self, source: str) -> None:
        self.root = parse(source).root_node
        self.nodes = list(walk(self.root))
        # `Node.parent` looks from the root each time, and recurses in C until the stack is gone.
        self._parents = {child.id: node for node in self.nodes for child in node.children}
        self._declared: dict[int, Binding] = {}
        scopes = self._scopes()
        references = [node for node in self.nodes if node.type in _NAMES and node.id not in self._declared]
        self._bound = {node.id: scopes[node.id].find(text(node)) for node in references}
        #: ScopedNames that nothing in the file declares.
        self.free = [node for node in references if self._bound[node.id] is None]

    def binding(self, node: Node) -> Binding | None:
        """Returns the declaration of a name, also for the node that declares it; None for a free one."""
        return self._declared.get(node.id) or self._bound.get(node.id)

    def parent(self, node: Node) -> Node | None:
        return self._parents.get(node.id)

    def _scopes(self) -> dict[int, _Scope]:
        """Returns the scope that each node is looked up in, and declares every name on the way."""
        top = _Scope(None, is_function=True)
        scopes: dict[int, _Scope] = {}
        stack = [(self.root, top)]
        while stack:
            node, outer = stack.pop()
            scope = _Scope(outer, node.type in FUNCTIONS) if node.type in _BLOCKS else outer
            scopes[node.id] = outer
            self._declare(node, outer, scope)
            stack.extend((child, scope) for child in reversed(node.children))
        return scopes

    def _declare(self, node: Node, outer: _Scope, inner: _Scope) -> None:
        if node.type in FUNCTIONS:
            for parameter in parameters(node):
                self._declare_all(parameter, inner)
            owner = outer if node.type.endswith("declaration") else inner
            if node.type != "method_definition":
                self._declare_all(node.child_by_field_name("name"), owner, function=node)
        elif node.type == "variable_declarator":
            parent = self.parent(node)
            var = parent is not None and parent.type == "variable_declaration"
            value = node.child_by_field_name("value")
            function = value if value and value.type in FUNCTIONS else None
            self._declare_all(node.child_by_field_name("name"), outer.of_function if var else outer, function=function)
        elif node.type == "class_declaration":
            self._declare_all(node.child_by_field_name("name"), outer)
        elif node.type == "catch_clause":
            self._declare_all(node.child_by_field_name("parameter"), inner)
        elif node.type == "for_in_statement" and (kind := node.child_by_field_name("kind")):
            self._declare_all(node.child_by_field_name("left"), inner.of_function if text(kind) == "var" else inner)

    def _declare_all(self, pattern: Node | None, scope: _Scope, function: Node | None = None) -> None:
        for node in pattern_names(pattern):
            binding = self._declared[node.id] = scope.declare(text(node))
            binding.function = binding.function or function
