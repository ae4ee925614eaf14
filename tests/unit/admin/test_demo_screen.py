"""The demo's screen in terminals of any width."""

from __future__ import annotations

import io
from collections import Counter

from hypothesis import example, given
from hypothesis import strategies as st
from rich.console import Console

from admin.actions.demo import Plan, Snapshot
from admin.cli.commands.demo import NEXT, _draw, _line
from shared.event import slice_page
from simulator.entries import Entries
from simulator.tenant_log import GeneratedLog

LOG = GeneratedLog(origin=1.8e9, backlog=Plan().total, entries=Entries(seed=Plan().seed))
BODIES = [LOG.raw(index) for index in range(Plan().total)]
counts = st.integers(0, Plan().total)
few = st.integers(0, 40)  # filtered out for one reason, and failed: more than the demo has
snapshots = st.builds(
    Snapshot,
    elapsed=st.floats(0, 99),
    fetched=counts,
    total=st.just(Plan().total),
    filtered=st.dictionaries(st.sampled_from(["below LOG_LEVEL", "management API"]), few).map(Counter),
    stored=counts,
    in_flight=st.integers(0, 5),
    waiting_for_retry=counts,
    delivered=counts,
    failed_attempts=few,
    rate=st.floats(0, 200),
    outage=st.booleans(),
    probing=st.booleans(),
    stopped=st.booleans(),
    last=st.lists(st.sampled_from(BODIES), max_size=6).map(tuple),
)


def drawn(snapshot: Snapshot, width: int) -> list[str]:
    out = io.StringIO()
    Console(file=out, width=width).print(_draw(snapshot))
    return out.getvalue().splitlines()


@given(snapshots)
def test_at_80_by_24_no_word_is_broken_and_every_user_is_whole(snapshot: Snapshot) -> None:
    lines = drawn(snapshot, 80)
    assert len(lines) <= 23  # and the prompt's line
    words = {word for line in drawn(snapshot, 200) for word in line.split()}
    cut = [word for line in lines for word in line.split() if word not in words]
    assert all("━" in word or "╸" in word or "╺" in word or word.endswith("…") for word in cut)
    users = [event.user_id for body in snapshot.last for event in slice_page(b"[" + body + b"]")]
    assert [user for user in users if user not in "\n".join(lines)] == []
    assert len(lines[-1].rstrip()) < 70


@given(snapshots, st.integers(1, 200))
@example(
    Snapshot(
        elapsed=0,
        fetched=0,
        total=550,
        filtered=Counter(),
        stored=0,
        in_flight=0,
        waiting_for_retry=0,
        delivered=0,
        failed_attempts=0,
        rate=0,
        outage=False,
        probing=False,
        stopped=False,
        last=(),
    ),
    60,
)
def test_it_can_be_drawn_at_any_width(snapshot: Snapshot, width: int) -> None:
    assert max(map(len, drawn(snapshot, width))) <= width


@given(snapshots)
def test_a_line_of_the_demo_fits_into_80_columns(snapshot: Snapshot) -> None:
    assert len(_line(snapshot)) <= 80
    assert max(map(len, NEXT.splitlines())) < 80
