"""Foreign text, made safe for a terminal. Pure."""

from __future__ import annotations


def visible(text: str, *, keep: str = "") -> str:
    """Returns the text with escapes for everything that is not printable (controls, bidi controls, line ends).

    `keep`: characters that stay as they are.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in keep else c.encode("unicode_escape").decode("ascii") for c in text)
