"""The commands that a Markdown text tells its reader to type: those of its `sh` blocks, and those in the running text."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from itertools import groupby
from typing import Final

_BLOCK: Final = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
_SPAN: Final = re.compile(r"`((?:auth0-webhooks|make|docker|uv|pipx|pip|python3|venv/bin/pip) [^`]+|\. [\w./]+/activate)`")
_INDENTED: Final = re.compile(r"\n\n {4}(?=(?:auth0-webhooks|make|docker|pip|python3?|kafka-\S+) )")
_JOINTS: Final = {"&&", "||", "|", ";", "&"}


def blocks(text: str, language: str = "sh") -> list[str]:
    """Returns the fenced blocks of a language, without the indentation that they have in a list."""
    found = (match for match in _BLOCK.finditer(text) if match[2] == language)
    return [re.sub(f"^{match[1]}", "", match[3], flags=re.MULTILINE) for match in found]


def unmarked(text: str) -> list[str]:
    """Returns what looks like commands and is not in a block marked `sh`."""
    plain = [block for block in blocks(text, "") if re.search(r"^(auth0-webhooks|make|docker) ", block, re.MULTILINE)]
    return [*plain, *_INDENTED.findall(_BLOCK.sub("", text))]


def spans(text: str) -> list[str]:
    """Returns the commands in the running text."""
    return [" ".join(span.split()) for span in _SPAN.findall(_BLOCK.sub("", text))]


def commands(script: str) -> Iterator[list[str]]:
    """Yields the words of each command, without comments and redirections. Raises `ValueError` for an open quote."""
    for line in script.replace("\\\n", " ").splitlines():
        lexer = shlex.shlex(line, posix=True, punctuation_chars="&|;<>")
        lexer.whitespace_split = True
        for joint, words in groupby(lexer, _JOINTS.__contains__):
            if not joint:
                yield list(_without_redirections(words))


def _without_redirections(words: Iterator[str]) -> Iterator[str]:
    for word in words:
        if word in {">", ">>", "<", "2>"}:
            next(words)
        else:
            yield word
