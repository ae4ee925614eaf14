"""What `run --once` shows of itself: a bar on a terminal, lines everywhere else."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from admin.cli.run_progress import delivering, fetching
from producer.progress import CatchUpProgress
from simulator.tenant_log import TenantLog
from tests.e2e.stack import COMMAND, Stack, simple
from tests.support import faults
from tests.support.listed_log import ListedLog
from tests.support.terminal import Terminal

StackOf = Callable[[TenantLog], Stack]
on_sqlite = pytest.mark.parametrize("log", ["sqlite"], indirect=True)


@on_sqlite
def test_a_terminal_shows_a_bar_below_whole_lines_and_takes_it_away_at_the_end(stack_of: StackOf) -> None:
    stack = stack_of(ListedLog(simple(range(200))))
    stack.tenant.faults.add(faults.slow(0.1))
    stack.receiver.latency = 0.1  # so that delivering takes seconds longer than fetching
    terminal = Terminal([COMMAND, "run", "--once"], folder=stack.folder, environ=stack.environ(BATCH_SIZE="20"))
    try:
        terminal.wait_for("fetching [")
        terminal.wait_for("delivering [")
        assert terminal.wait() == 0
    finally:
        terminal.kill()
    assert any("caught up with Auth0's log" in row for row in terminal.rows)
    assert not any("fetching [" in row or "delivering [" in row for row in terminal.rows)
    assert len(stack.receiver.journal) == 200


@on_sqlite
def test_a_pipe_gets_no_bar_and_one_line_at_the_end_of_the_catch_up(stack_of: StackOf) -> None:
    stack = stack_of(ListedLog(simple(range(50))))
    process = stack.start("run", "--once")
    assert process.wait() == 0
    lines = [json.loads(line) for line in process.text.splitlines()]
    (line,) = [line for line in lines if line["event"] == "caught up with Auth0's log"]
    assert line["entries"] == 50
    assert "\x1b" not in process.text


def test_the_bar_says_how_far_it_is_and_only_what_is_known() -> None:
    progress = CatchUpProgress(entries=1_234_567, rate=812.3, behind=864_000, left=3_605, done=0.5)
    row = fetching(progress, 9_000)
    assert row == "fetching [############------------]  50% 1,234,567 entries, 812/s, 10 d behind, 1 h left; 9,000 delivered"
    unknown = CatchUpProgress(entries=0, rate=0, behind=None, left=None, done=0)
    assert fetching(unknown, 0) == "fetching [------------------------]   0% 0 entries, 0/s; 0 delivered"
    assert delivering(320, 400) == "delivering [###################-----]  80% 320 of 400 events"
    assert delivering(0, 0) == "delivering [########################] 100% 0 of 0 events"
    assert delivering(7, 5) == "delivering [########################] 100% 7 of 7 events"
