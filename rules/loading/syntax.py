"""JavaScript source as a syntax tree: the door to tree-sitter. What cannot be parsed is an `ERROR` node; nothing is raised."""

from __future__ import annotations

from functools import cache

import tree_sitter_javascript
from tree_sitter import Language, Parser, Tree


def parse(source: str) -> Tree:
    """Returns the tree of a whole file. Positions are (line, column in bytes of UTF-8), from 0."""
    return _parser().parse(source.encode("utf-8", "surrogatepass"))


@cache
def _parser() -> Parser:
    return Parser(Language(tree_sitter_javascript.language()))
