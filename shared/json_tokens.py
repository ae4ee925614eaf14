"""The tokens of a JSON text that is known to be valid, for code that must not decode it or changes a part in place.

A token is the key of a member, with its value if that is a string or a number; or such a value alone, in an array; or a bracket.
`true`, `false`, `null` and what separates are passed over. Works at any depth; a decoder that calls itself does not.
"""

from __future__ import annotations

import json
import re
from typing import Final

# Possessive: a string is read once, and letter by letter only behind a backslash.
_STRING: Final = r'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
_NUMBER: Final = r"-?(?:[0-9][0-9.eE+-]*+|(?<=-)Infinity)"  # which Python's decoder takes, as Auth0's page is taken

#: The groups of a token: its key, its value, its bracket.
KEY, VALUE, BRACKET = 1, 2, 3

TOKEN: Final = re.compile(rf"(?:({_STRING})\s*+:\s*+)?+(?:({_STRING}|{_NUMBER})|([{{}}\[\]])|(?=[A-Za-z]))", re.DOTALL)


def decoded(token: str) -> str:
    """Returns what a string's token says; a number's is its text."""
    if token[0] != '"':
        return token
    return str(json.loads(token, strict=False)) if "\\" in token else token[1:-1]


def encoded(text: str) -> str:
    """Returns the token of a string, in ASCII."""
    return json.dumps(text)
