"""R-1 to R-4: consumers with rules, killed in the middle of chains; partitions that move; rules that do their worst."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Collection, Mapping
from contextlib import AbstractContextManager, ExitStack
from functools import partial
from pathlib import Path
from typing import Final

import pytest

from shared import failpoints
from tests.faults.chaos import Chaos
from tests.faults.chaos_run import chaos_run
from tests.faults.fault_stack import FaultProcess, FaultStack, fault_stack
from tests.faults.log_probe import KafkaProbe, SqliteProbe
from tests.faults.oracle import examine_and_show
from tests.faults.report import show
from tests.faults.rules import EFFECT, FaultRules, awaits_rules, member_of, outcomes, user_of
from tests.support.fork_server import ForkServer
from tests.support.kafka.broker import Broker

WINDOW: Final = 200
#: The middle of a chain and of what follows it, each several times.
POINTS: Final = [*failpoints.RULES * 3, "request-sent", "answered", "marked", "inside-commit", "in-revoked", "drained"]
ACTIONS: Final = {"kill consume": 4, "stop consume": 6, "freeze consume": 2, "kill produce": 1, "webhook 503": 1}


@pytest.mark.timeout(500)
def test_consumers_killed_in_the_middle_of_chains_lose_nothing(
    kafka: Broker, tmp_path: Path, fork_server: ForkServer, seed: int, rules: FaultRules
) -> None:
    rules.write("effect", EFFECT)
    settings = {"WINDOW": str(WINDOW), "WEBHOOK_MAX_ATTEMPTS": "8", **rules.settings(THINK=40)}
    with fault_stack(KafkaProbe(kafka.bootstrap), tmp_path, seed, fork_server=fork_server, **settings) as stack:
        actions = [action for action, times in ACTIONS.items() for _ in range(times)]
        # Node.js has to start too, and each start moves partitions: a process gets the time for that on a busy machine.
        chaos = Chaos(stack, ["consume", "consume", "produce"], POINTS, actions, rate=80.0, point_timeout=30.0)
        report = chaos_run(chaos, within=400)
        assert report.wrong == []
        assert report.repeated_records == 0
        assert report.peak_calls <= 5
        assert report.rebalances > 10
        _ran_on_each(stack, rules, restarts=len(stack.processes))
        assert rules.processes() == [], "a rule process outlived its consumer"


@pytest.mark.timeout(120)
def test_a_rolling_restart_with_rules_and_node_js_killed_meanwhile_repeats_no_delivery(
    kafka: Broker, tmp_path: Path, fork_server: ForkServer, seed: int, rules: FaultRules
) -> None:
    """A rule process that dies takes no chain with it: each runs again, and its rule is not to blame."""
    rules.write("effect", EFFECT)
    probe = KafkaProbe(kafka.bootstrap, session=10)
    with fault_stack(probe, tmp_path, seed, fork_server=fork_server, **rules.settings(THINK=20)) as stack:
        stack.receiver.latency = 0.005
        processes = [stack.start("consume") for _ in range(3)]
        stack.start("produce")
        for turn in range(6):
            stack.feed(250)
            process = processes[turn % 3]
            stack.until(partial(_calls, stack, process), "it makes calls", within=60)
            rules.kill(process.child.pid)
            assert process.stop(within=20) == 0
            processes[turn % 3] = stack.start("consume")
        stack.wait_all_delivered(within=60)
        assert set(stack.stop_all().values()) == {0}
        report = examine_and_show(stack)
        assert report.wrong == []
        assert (report.duplicates, report.repeated_records, report.dead_letters) == (0, 0, 0)
        assert report.peak_calls <= 5
        _ran_on_each(stack, rules, restarts=12)
        ended = sum(_last_outcomes(stack).values(), Counter())
        # A kill while the one before it is being sorted out takes down a chain that runs alone: that one is found guilty.
        assert ended.keys() <= {("effect", "kept"), ("effect", "crashed")}
        assert ended["effect", "crashed"] <= 6 < ended["effect", "kept"]
        assert rules.processes() == []


def _calls(stack: FaultStack, process: FaultProcess) -> bool:
    """Whether it makes calls; there is always something to deliver until it does."""
    if not stack.is_calling(process):
        stack.feed(2)
        return False
    return True


def _ran_on_each(stack: FaultStack, rules: FaultRules, *, restarts: int) -> None:
    """Each chain ran, and ran again only for what was not completed at a restart: at most a window, as docs/delivery.md says."""
    wanted = Counter(user_of(raw) for raw in stack.expected.values() if awaits_rules(raw))
    show(f"rules ran {rules.runs.total()} times on {wanted.total()} logins, {restarts} restarts")
    assert wanted.total() > 100
    assert not wanted - rules.runs, "a login went out without its rule"
    assert rules.runs.total() - wanted.total() <= restarts * WINDOW


BAD_RULES: Final = {
    "a-loop": "function (user, context, callback) { while (user.user_id === 'auth0|loop'); callback(null, user, context); }",
    "b-exit": "function (user, context, callback) { if (user.user_id === 'auth0|exit') process.exit(1); callback(null); }",
    "c-bomb": """function (user, context, callback) {
      const all = [];
      while (user.user_id === 'auth0|bomb') all.push(new Array(1e6).fill(0));
      callback(null);
    }""",
    "d-late": """function (user, context, callback) {
      const late = user.user_id === 'auth0|late' && Date.now() < configuration.OPENS_AT;
      callback(late ? new Error('not yet') : null);
    }""",
    "e-dead": "function (user, context, callback) { callback(user.user_id === 'auth0|dead' ? 'broken' : null); }",
    "f-deny": """function (user, context, callback) {
      callback(user.user_id === 'auth0|deny' ? new UnauthorizedError('no') : null, user, context);
    }""",
}
POLICIES: Final = "rules: [{name: d-late, on_error: hold}, {name: e-dead, on_error: dead-letter}]\n"
#: User → what is expected of the last rule that is listed for each of its logins.
WORST: Final[Mapping[str, Collection[tuple[str, str]]]] = {
    "auth0|loop": {("a-loop", "timed_out"), ("g-effect", "kept")},  # until it is switched off
    "auth0|exit": {("b-exit", "failed")},
    "auth0|bomb": {("c-bomb", "crashed"), ("c-bomb", "timed_out")},  # on a busy machine its time may be up first
    "auth0|late": {("g-effect", "kept")},
    "auth0|deny": {("f-deny", "denied")},
}
OTHERS: Final = 300


@pytest.mark.timeout(400)
def test_a_loop_an_exit_and_what_else_a_rule_can_do_hold_up_no_other_user(
    tmp_path: Path, fork_server: ForkServer, seed: int, rules: FaultRules
) -> None:
    """One process, no crash of ours: everything once, each user in order, and what a rule did to one login stays there."""
    for name, source in {**BAD_RULES, "g-effect": EFFECT}.items():
        rules.write(name, source)
    (rules.folder / "rules.yaml").write_text(POLICIES)
    settings = {"RULES_TIMEOUT": "6", **rules.settings(THINK=1, OPENS_AT=round((time.time() + 15) * 1000))}
    with fault_stack(SqliteProbe(tmp_path / "log.db"), tmp_path, seed, fork_server=fork_server, **settings) as stack:
        users = [f"auth0|{number}" for number in range(OTHERS)]
        for turn in range(4):
            stack.feed_logins([*users[:100], "auth0|loop", "auth0|late", *users[100:200], "auth0|exit", "auth0|dead"])
            stack.feed_logins([*(["auth0|bomb"] if turn < 2 else []), *users[200:], "auth0|deny"])
        process = stack.start("run")
        # Three loops of six seconds, each twice: once among others, once alone. Six times that on a busy machine.
        stack.until(lambda: _completed(stack) == stack.expected.keys(), "everything is delivered or dead", within=300, every=0.5)
        assert process.stop() == 0
        report = examine_and_show(stack)
        assert report.wrong == []
        assert report.duplicates == 0
        found = _last_outcomes(stack)
        assert "auth0|dead" not in found
        assert report.dead_letters == 4
        for user in users:
            assert found[user] == Counter({("g-effect", "kept"): 4}), user
        for user, allowed in WORST.items():
            assert found[user].keys() <= set(allowed), (user, found[user])
        assert found["auth0|loop"]["a-loop", "timed_out"] == 3
        assert rules.processes() == []


def _completed(stack: FaultStack) -> frozenset[str]:
    return stack.receiver.journal.maybe_delivered | stack.probe.dead_letters()


def _last_outcomes(stack: FaultStack) -> Mapping[str, Counter[tuple[str, str]]]:
    """By user, how its delivered logins ended: their last rule and its outcome."""
    found: dict[str, Counter[tuple[str, str]]] = {}
    for log_id, body in stack.receiver.journal.bodies.items():
        if not awaits_rules(stack.expected[log_id]):
            continue
        member = member_of(stack.expected[log_id], body)
        assert member is not None
        found.setdefault(user_of(stack.expected[log_id]), Counter())[outcomes(member)[-1]] += 1
    return found


SLOW: Final = "auth0|slow"
SLOW_RULE: Final = """function (user, context, callback) {
  setTimeout(() => callback(null, user, context), user.user_id === configuration.SLOW ? 2000 : 0);
}"""


@pytest.mark.timeout(120)
def test_a_slow_rule_on_one_key_leaves_the_rate_of_the_others_as_it_was(
    tmp_path: Path, fork_server: ForkServer, seed: int, rules: FaultRules
) -> None:
    """Two processes side by side with the same events and one call each: for one of them a user's chain takes two seconds."""
    rules.write("slow", SLOW_RULE)
    others = [f"auth0|{number}" for number in range(100)]
    with ExitStack() as exits:
        slow, usual = (
            exits.enter_context(_one_call(tmp_path / name, fork_server, seed, rules.settings(SLOW=user)))
            for name, user in (("slow", SLOW), ("usual", ""))
        )
        for stack in (slow, usual):
            for _ in range(10):
                stack.feed_logins([SLOW, *others])
            stack.receiver.latency = 0.008  # else all is over before the first slow chain is
            stack.start("run")
        usual.wait_delivered(10 * (len(others) + 1), within=90)
        by_then = Counter(user_of(slow.expected[log_id]) == SLOW for log_id in slow.receiver.journal.delivered)
        show(f"{by_then[False]} of {10 * len(others)} others, {by_then[True]} of the slow user")
        # A chain that held the call, or another key, would leave a tenth.
        assert by_then[False] > 0.6 * 10 * len(others)
        assert 0 < by_then[True] < 10, "the two did not run side by side for several slow chains"
        for stack in (slow, usual):
            stack.wait_all_delivered(within=60)
            assert set(stack.stop_all().values()) == {0}
            report = examine_and_show(stack)
            assert (report.wrong, report.duplicates) == ([], 0)


def _one_call(
    folder: Path, fork_server: ForkServer, seed: int, settings: Mapping[str, str]
) -> AbstractContextManager[FaultStack]:
    folder.mkdir()
    probe = SqliteProbe(folder / "log.db")
    return fault_stack(probe, folder, seed, fork_server=fork_server, WEBHOOK_CONCURRENT_CALLS="1", **settings)
