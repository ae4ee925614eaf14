"""The flags of a rule process, by what the interpreter knows."""

from __future__ import annotations

from pathlib import Path

import pytest

from rules.processes.node import Node


@pytest.mark.parametrize(
    ("known", "given"),
    [
        ({"--experimental-permission"}, ["--experimental-permission"]),
        ({"--permission", "--experimental-permission"}, ["--permission"]),
        ({"--permission", "--allow-net"}, ["--permission", "--allow-net"]),
        ({"--allow-net"}, []),
        ({"--disable-wasm-trap-handler"}, ["--disable-wasm-trap-handler"]),
        (set(), []),
    ],
)
def test_a_rule_process_gets_the_flags_that_its_interpreter_knows(known: set[str], given: list[str]) -> None:
    """From Node.js 25 on the permission model closes the network as well, unless `--allow-net` is given."""
    command = Node(path=Path("node"), version="v25.0.0", flags=frozenset(known)).command(None, {})
    flags = [one for one in command.arguments if one.startswith("--") and not one.startswith("--allow-fs-read=")]
    assert flags == [*given, "--max-old-space-size=128", "--no-warnings"]
    assert any("no permission model" in line for line in command.unlimited) is not any("permission" in one for one in given)
