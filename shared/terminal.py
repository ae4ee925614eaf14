"""How wide a terminal is, and text made to fit it."""

from __future__ import annotations

import os
import textwrap
from typing import Final

_USUAL: Final = 80
_NARROWEST: Final = 20


def columns_of(descriptor: int) -> int | None:
    """Returns its width in characters, at least 20; None where the descriptor is no terminal."""
    try:
        columns = os.get_terminal_size(descriptor).columns
    except OSError:
        return None
    return max(columns or _USUAL, _NARROWEST)  # 0: a terminal that was never told its size


def fitted(text: str, descriptor: int) -> str:
    """Returns the text as it is, or for a terminal with its lines broken at words."""
    columns = columns_of(descriptor)
    return text if columns is None else wrapped(text, columns)


def wrapped(text: str, columns: int) -> str:
    """Breaks longer lines at words, and indents what follows; a longer word stays whole, so that it can be copied. Pure."""
    return "\n".join(_wrap(line, columns) if len(line) > columns else line for line in text.split("\n"))


def _wrap(line: str, columns: int) -> str:
    return textwrap.fill(
        line, columns, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False, replace_whitespace=False
    )
