"""What a rule needs and what it does, read from its text without running it: for `rules check` and `rules install`. Pure.

A reading of the text, no proof: code that a rule builds from strings, or names that it computes, stay unseen (`*`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from tree_sitter import Node

from rules.analysis.paths import MemberAccess, Paths
from rules.analysis.scopes import FUNCTIONS, ScopedNames, text

#: Before a rule's text, as in `js/compile.js`: a file is one function without a name, or with one.
_PREFIX: Final = "const __rule = "


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """Something that a rule uses, and the line where it does so first."""

    name: str
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """Each name once, in the order of the text."""

    #: What is given to `require` as a literal text.
    modules: tuple[Use, ...] = ()
    #: `require` with anything else: its module is known only when the rule runs.
    computed_modules: tuple[Use, ...] = ()
    #: ScopedNames that nothing in the file declares, `require`, `console` and what JavaScript has included.
    free_names: tuple[Use, ...] = ()
    #: Keys of `configuration`; `*` if it is used as a whole or by a computed name.
    configuration: tuple[Use, ...] = ()
    #: Those of them for which the rule has a default somewhere.
    optional: frozenset[str] = frozenset()
    #: Members of `auth0`, with dots.
    auth0: tuple[Use, ...] = ()
    #: Members below `context` and `user`, with dots.
    context_reads: tuple[Use, ...] = ()
    context_writes: tuple[Use, ...] = ()
    user_reads: tuple[Use, ...] = ()
    user_writes: tuple[Use, ...] = ()


@lru_cache(maxsize=256)
def needs(source: str) -> Needs:
    """Returns what can be read from the text of a rule; of a text that is no JavaScript, what looks like it. Raises nothing."""
    names = ScopedNames(f"{_PREFIX}{source}\n;")
    accesses = Paths(names, rule).accesses() if (rule := _rule(names.root)) else []
    modules, computed = _requires(names)
    return Needs(
        modules=modules,
        computed_modules=computed,
        free_names=_each_once((text(node), _line(node)) for node in names.free),
        configuration=_each_once((one.path[1], one.line) for one in accesses if one.path[0] == "configuration"),
        optional=frozenset(one.path[1] for one in accesses if one.path[0] == "configuration" and one.spared),
        auth0=_members(accesses, "auth0"),
        context_reads=_members(accesses, "context"),
        context_writes=_members(accesses, "context", writes=True),
        user_reads=_members(accesses, "user"),
        user_writes=_members(accesses, "user", writes=True),
    )


def _rule(root: Node) -> Node | None:
    """The function that the file is, in parentheses or not."""
    declaration = next(iter(root.named_children), None)
    declarator = next(iter(declaration.named_children), None) if declaration else None
    value = declarator.child_by_field_name("value") if declarator else None
    while value and value.type == "parenthesized_expression":
        value = next((child for child in value.named_children if child.type != "comment"), None)
    return value if value and value.type in FUNCTIONS else None


def _requires(names: ScopedNames) -> tuple[tuple[Use, ...], tuple[Use, ...]]:
    literal, computed = [], []
    for node in names.free:
        call = names.parent(node)
        if (
            text(node) != "require"
            or call is None
            or call.type != "call_expression"
            or call.child_by_field_name("function") != node
        ):
            continue
        arguments = call.child_by_field_name("arguments")
        argument = next((child for child in arguments.named_children if child.type != "comment"), None) if arguments else None
        if argument and (argument.type == "string" or (argument.type == "template_string" and "${" not in text(argument))):
            literal.append((text(argument)[1:-1], _line(node)))
        else:
            computed.append((text(argument), _line(node)))
    return _each_once(literal), _each_once(computed)


def _members(accesses: Iterable[MemberAccess], root: str, *, writes: bool = False) -> tuple[Use, ...]:
    """Returns the longest paths: who reads `request.ip` reads `request`, and that says nothing more."""
    paths = [(access.path[1:], access.line) for access in accesses if access.path[0] == root and access.writes is writes]
    inner = {path[:length] for path, _ in paths for length in range(1, len(path))}
    return _each_once((".".join(path), line) for path, line in paths if path not in inner)


def _each_once(found: Iterable[tuple[str, int]]) -> tuple[Use, ...]:
    first: dict[str, int] = {}
    for name, line in found:
        first.setdefault(name, line)
    return tuple(Use(name=name, line=line) for name, line in first.items())


def _line(node: Node) -> int:
    return node.start_point.row + 1
