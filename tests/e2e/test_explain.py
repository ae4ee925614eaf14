"""What the filter says of an entry, asked for by file and by log id, without a log."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from jsonschema import validate

from tests.e2e.stack import Stack, ends
from tests.support.schemas import EXPLANATIONS

KNOWN = f"900{3:053d}"


@pytest.fixture
def stack(stack_with: Callable[[int], Stack]) -> Stack:
    return stack_with(9)


def test_a_file_is_explained_entry_by_entry_and_needs_no_credentials(stack: Stack) -> None:
    (stack.folder / "entries.json").write_text('[{"log_id":"9001","type":"sapi"},\n{"log_id":"9002","type":"s"}]')
    bare = {"AUTH0_DOMAIN": "", "AUTH0_CLIENT_ID": "", "AUTH0_CLIENT_SECRET": "", "WEBHOOK_URL": "", "SQLITE_PATH": ""}
    text = ends(stack.start("explain", "entries.json", **bare))
    assert "9001  sapi  filtered out (LOG_TYPES): sapi is an event of the Management API" in text
    assert "9002  s  passes: " in text
    assert "1 of 2 entries pass" in text
    found: Any = json.loads(ends(stack.start("explain", "entries.json", "--json", LOG_LEVEL="4", **bare)))
    validate(found, EXPLANATIONS)
    assert [(one["passes"], one["setting"]) for one in found] == [(False, "LOG_TYPES"), (False, "LOG_LEVEL")]


def test_an_entry_is_asked_from_auth0_by_its_id(stack: Stack) -> None:
    text = ends(stack.start("explain", KNOWN, LOG_TYPES="f,s"))
    assert f"{KNOWN}  s  passes (LOG_TYPES): LOG_TYPES names s" in text
    assert not list(stack.folder.glob("*.db"))


@pytest.mark.parametrize(
    ("arguments", "settings", "words"),
    [
        (("explain", "9000000"), {}, "knows no entry of that id, or not any more"),
        (("explain", "9000000"), {"AUTH0_CLIENT_ID": ""}, "without its credentials give a file or -"),
        (("explain", "no/such.json"), {}, "no/such.json cannot be read: No such file or directory"),
        (("explain", "."), {}, "cannot be read: Is a directory"),
        (("explain", "-"), {}, "standard input holds no log entry of Auth0"),
        (("explain", "process-0.log"), {}, "process-0.log holds no log entry of Auth0"),
        (("explain", "-"), {"LOG_LEVEL": "info"}, "LOG_LEVEL"),
    ],
)
def test_what_cannot_be_explained_gets_one_line(
    stack: Stack, arguments: tuple[str, ...], settings: dict[str, str], words: str
) -> None:
    assert words in ends(stack.start(*arguments, **settings), 2)


def test_a_tenant_that_cannot_be_reached_is_another_kind_of_trouble(stack: Stack) -> None:
    text = ends(stack.start("explain", KNOWN, AUTH0_DOMAIN="http://127.0.0.1:9"), 3)
    assert f"Auth0 could not be asked for {KNOWN}" in text
