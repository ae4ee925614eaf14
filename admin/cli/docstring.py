"""What help takes from a docstring: its first sentence, its text, its examples. Pure."""

from __future__ import annotations

import inspect
import re
from typing import Final

_EXAMPLES: Final = "\n\nExamples:\n"
_SENTENCE: Final = re.compile(r"(.+?[.])(\s|$)", re.DOTALL)


def summary(docstring: str | None) -> str:
    """Returns the first sentence, on one line."""
    text = inspect.cleandoc(docstring or "")
    found = _SENTENCE.match(text)
    return " ".join((found[1] if found else text).split())


def split_examples(docstring: str | None) -> tuple[str, list[str]]:
    """Returns the text without its examples, and the examples."""
    text, _, examples = inspect.cleandoc(docstring or "").partition(_EXAMPLES)
    return text, [line.strip() for line in examples.splitlines() if line.strip()]
