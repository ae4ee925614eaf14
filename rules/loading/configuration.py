"""The global `configuration` of the rules: a JSON object, or NAME=text lines. Its values are secrets: never shown."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from dotenv.parser import parse_stream

from rules.loading.files import FileUnusable, read_text
from rules.loading.json_file import parse_object

_LARGEST: Final = 1_000_000
_NEWLINE: Final = "\n"


def read_configuration(path: Path) -> Mapping[str, Any]:
    """Returns the values by name. Raises `FileUnusable`. At Auth0 every value was a text; JSON may hold any."""
    text = read_text(path, _LARGEST, "a configuration", pipe=True)
    if path.suffix.lower() == ".json" or text.lstrip()[:1] in ("{", "["):
        return parse_object(text, path, "a configuration")
    return _lines(text, path)


def _lines(text: str, path: Path) -> Mapping[str, str]:
    """Returns what NAME=text lines say. Nothing of the environment is put into a value, as `.env` files may do it."""
    values: dict[str, str] = {}
    problems = []
    for binding in parse_stream(io.StringIO(text)):
        text = binding.original.string  # it begins with the empty lines before it
        where = f"{path}:{binding.original.line + text[: len(text) - len(text.lstrip())].count(_NEWLINE)}"
        if binding.error or (binding.key is not None and binding.value is None):
            problems.append(f"{where}: cannot be understood; write NAME=text, the text in quotes if it holds a # or a quote")
        elif binding.key in values:
            problems.append(f"{where}: {binding.key} stands twice; remove one")
        elif binding.key is not None:
            values[binding.key] = binding.value or ""
    if problems:
        raise FileUnusable("\n".join(problems))
    return values
