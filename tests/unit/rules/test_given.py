"""What a person gives `rules test`: files, pipes, nothing."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path

import pytest

from admin.actions.rules.given import read_given
from admin.actions.rules.samples import sample_entry, sample_profile
from rules.context import user_and_context
from rules.context_properties import PROTOCOLS
from rules.rule import DEFAULT_EVENTS
from shared.errors import ConfigurationError


@pytest.mark.parametrize("kind", sorted(DEFAULT_EVENTS))
def test_a_made_up_login_of_each_type_is_a_whole_one(kind: str) -> None:
    user, context = user_and_context(sample_entry(kind), sample_profile())
    assert context["protocol"] == PROTOCOLS[kind]
    assert context["stats"] == {"loginsCount": 7}
    assert context["request"]["ip"]
    assert context["request"]["geoip"]["country_code"] == "GB"
    assert user["plan"] == "gold"


def test_without_anything_it_is_a_login_of_a_made_up_user() -> None:
    given = read_given()
    assert (given.type, given.made_up, given.profile) == ("s", True, sample_profile())


def test_an_event_without_a_user_file_has_no_profile(tmp_path: Path) -> None:
    (tmp_path / "e.json").write_text('{"_id": "9001", "type": 5}')
    given = read_given(event=tmp_path / "e.json")
    assert (given.log_id, given.type, given.made_up, given.profile) == ("9001", "", False, None)


def test_a_pipe_and_standard_input_are_files_too(monkeypatch: pytest.MonkeyPatch) -> None:
    read, write = os.pipe()
    os.write(write, b'{"request": {"ip": "::1"}}')
    os.close(write)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b'{"type": "ssa"}')))
    given = read_given(event=Path("-"), context=Path(f"/dev/fd/{read}"))
    os.close(read)
    assert (given.type, given.over) == ("ssa", {"request": {"ip": "::1"}})


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (b"", ":1: is not valid JSON ("),
        (b"\xff", ":1: is not UTF-8 text (byte 0xff)"),
        (b'{"type": "s"}\n{"type": "s"}\n', ":2: is not valid JSON (Extra data"),
        (b"null", ": must be one JSON object, not null"),
        (b'{"a": 1, "a": 2}', ": has 'a' twice"),
        (b"[" * 100_000, ": is nested too deeply"),
        (b" " * 4_000_001, ": is larger than 4,000,000 bytes"),
    ],
)
def test_what_is_no_log_entry_is_one_line_with_the_file(tmp_path: Path, text: bytes, line: str) -> None:
    (tmp_path / "e.json").write_bytes(text)
    with pytest.raises(ConfigurationError) as caught:
        read_given(event=tmp_path / "e.json")
    (problem,) = caught.value.problems
    assert problem.startswith(f"{tmp_path}/e.json{line}")
