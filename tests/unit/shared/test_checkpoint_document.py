"""The checkpoint as a document: what was stored comes back, and what is not ours is refused."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.documents.checkpoint import dump, parse
from shared.errors import TransportUnusable
from shared.transport.port import OLDEST, Checkpoint

LOG_IDS = st.text("".join(map(chr, range(0x21, 0x7F))))
ENDS = st.dictionaries(st.integers(0, 99), st.integers(0, 2**63 - 1))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["v", "log_id", "date", "ends", "0"]) | st.text(), inner),
)


@given(LOG_IDS, st.text(), ENDS, st.none() | st.integers(0, 253402300799))
def test_a_checkpoint_comes_back_as_it_was_also_one_that_was_reset(
    log_id: str, date: str, ends: dict[int, int], caught_up: float | None
) -> None:
    checkpoint = Checkpoint(log_id=log_id, date=date, caught_up=caught_up)
    assert parse(dump(checkpoint, ends), where="here") == (checkpoint, ends)


def test_a_document_of_an_older_release_does_not_say_when_it_was_caught_up_and_one_of_ours_needs_no_newer_version() -> None:
    assert parse(b'{"v": 1, "log_id": "900", "date": ""}', where="here")[0].caught_up is None
    assert json.loads(dump(Checkpoint(log_id="900", caught_up=1.7e9)))["v"] == 1


@given(JSON)
def test_a_moment_that_is_none_leaves_a_checkpoint_as_good(caught_up: object) -> None:
    document = json.dumps({"v": 1, "log_id": "900", "date": "", "caught_up": caught_up}).encode()
    checkpoint, _ = parse(document, where="here")
    assert checkpoint.log_id == "900"
    assert checkpoint.caught_up is None or checkpoint.caught_up == caught_up


def test_an_older_release_reads_every_place_and_is_told_that_a_reset_is_newer() -> None:
    """Release 1 refuses a version above 1 with the words "upgrade auth0-webhooks"."""
    assert json.loads(dump(Checkpoint(log_id="900")))["v"] == 1
    assert json.loads(dump(OLDEST))["v"] == 2


@pytest.mark.parametrize("version", [1, 2])
def test_a_document_whose_version_and_log_id_disagree_is_refused(version: int) -> None:
    log_id = {1: "", 2: "900"}[version]
    with pytest.raises(TransportUnusable, match=r"at here is not one of ours or is damaged.*checkpoint reset"):
        parse(json.dumps({"v": version, "log_id": log_id, "date": ""}).encode(), where="here")


def test_a_newer_one_is_refused_with_the_fix() -> None:
    with pytest.raises(TransportUnusable, match="version 3, this release knows 2: upgrade"):
        parse(b'{"v": 3}', where="here")


@pytest.mark.parametrize(
    "document",
    [
        b"[" * 100_000,
        b'{"v": 1, "log_id": "900", "date": "", "ends": {"0": Infinity}}',
        b'{"v": 1, "log_id": "\\ud800", "date": ""}',
        b'{"v": 1, "log_id": "9\\r\\n", "date": ""}',
    ],
)
def test_what_could_only_raise_later_is_refused_with_the_way_on(document: bytes) -> None:
    with pytest.raises(TransportUnusable, match=r"is not one of ours or is damaged.*checkpoint reset"):
        parse(document, where="here")


@given(st.binary() | JSON.map(lambda value: json.dumps(value).encode()))
def test_whatever_lies_there_is_a_checkpoint_or_refused(document: bytes) -> None:
    with suppress(TransportUnusable):
        checkpoint, _ = parse(document, where="here")
        assert isinstance(checkpoint.log_id, str)
