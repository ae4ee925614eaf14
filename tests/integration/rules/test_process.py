"""A rule process by itself: how it ends, with its parent and without, and what it may use."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import socket
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from rules.processes.node import Node, find_node
from rules.processes.process import RuleProcess, exit_words
from rules.runner import RuleRunner
from shared.errors import EnvironmentUnusable
from tests.integration.rules.rule_runners import CONTEXT, KEEP, USER, rule, rule_set
from tests.support.process_guard import guarded

_PATIENCE = 20.0  # seconds


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _ends(pid: int) -> bool:
    """Waits for its end."""
    deadline = time.monotonic() + _PATIENCE
    while _runs(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not _runs(pid)


@pytest.mark.outages
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("what", ["idle", "loop"])
@pytest.mark.parametrize("by", ["kernel", "watchdog"])
def test_no_rule_process_outlives_a_parent_that_is_killed(node: Node, what: str, by: str) -> None:
    command = [sys.executable, "-m", "tests.integration.rules.parent", str(node.path), what, by]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=guarded(), text=True) as parent:
        assert parent.stdout
        pid = int(parent.stdout.readline())
        assert parent.stdout.readline() == "ready\n"
        assert _runs(pid)
        parent.kill()
        assert _ends(pid)


def test_the_end_of_its_socket_ends_it(node: Node) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        arguments = [*node.command(None).arguments, str(theirs.fileno())]
        with subprocess.Popen(arguments, pass_fds=[theirs.fileno()], env=guarded({})) as process:
            theirs.close()
            ours.close()
            assert process.wait(_PATIENCE) == 0


async def test_its_environment_is_empty_but_for_what_is_on_the_list(node: Node) -> None:
    environ = {"NODE_EXTRA_CA_CERTS": "/none.pem", "https_proxy": "http://p:1", "AUTH0_CLIENT_SECRET": "canary", "PATH": "/bin"}
    command = node.command(None, environ)
    assert sorted(command.environ) == ["NODE_EXTRA_CA_CERTS", "https_proxy"]
    runner = RuleRunner(replace(command, environ={"TZ": "UTC"}))
    try:
        await runner.start(rule_set({"env": rule("context.env = Object.keys(process.env); callback(null, user, context)")}))
        run = await runner.run(["env"], USER, CONTEXT, event="1")
    finally:
        await runner.close()
    assert set(run.context["env"]) == {"TZ", "MALLOC_ARENA_MAX"}


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
async def test_its_limits_are_set(node: Node) -> None:
    runner = RuleRunner(node.command(None))
    try:
        await runner.start(rule_set({"keep": KEEP}))
        (pid,) = runner.pids
        assert resource.prlimit(pid, resource.RLIMIT_AS) == (2 * 1024**3, 2 * 1024**3)
        assert resource.prlimit(pid, resource.RLIMIT_CORE) == (0, 0)
        assert os.getsid(pid) == pid
    finally:
        await runner.close()


async def test_a_closed_runner_leaves_no_process(node: Node) -> None:
    runner = RuleRunner(node.command(None), processes=2)
    await runner.start(rule_set({"keep": KEEP, "never": rule("")}))
    under_way = asyncio.create_task(runner.run(["never"], USER, CONTEXT, event="1"))
    await runner.run(["keep"], USER, CONTEXT, event="2")
    pids = runner.pids
    await runner.close()
    assert (await under_way).steps[0].error == "the rule runner is closed"
    assert not any(map(_runs, pids))
    assert runner.pids == []


async def test_a_process_that_is_killed_from_outside_is_replaced(node: Node) -> None:
    runner = RuleRunner(node.command(None))
    try:
        await runner.start(rule_set({"keep": KEEP}))
        (pid,) = runner.pids
        os.kill(pid, signal.SIGKILL)
        while runner.pids in ([pid], []):  # noqa: ASYNC110  nothing tells of it
            await asyncio.sleep(0.02)
        assert (await runner.run(["keep"], USER, CONTEXT, event="1")).outcome == "kept"
    finally:
        await runner.close()


@pytest.mark.outages
async def test_a_file_that_loops_as_it_is_loaded_is_named_and_not_waited_for(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rules.processes.session.READY_TIMEOUT", 3.0)
    runner = RuleRunner(node.command(None))
    with pytest.raises(EnvironmentUnusable, match="did not get ready within 3 s: does the file of a rule loop"):
        await runner.start(rule_set({"loop": "(function () { for (;;) {} })()"}))
    await runner.close()


@pytest.mark.outages
async def test_a_rule_whose_file_loops_as_it_is_loaded_is_broken_and_the_others_run(node: Node) -> None:
    runner = RuleRunner(node.command(None))
    try:
        (broken,) = await runner.start(rule_set({"loop": f"{KEEP}\nfor (;;) {{}}", "keep": KEEP}))
        assert (broken.name, broken.message) == ("loop", "it is not loaded within 5 s: does the file loop?")
        assert (await runner.run(["keep"], USER, CONTEXT, event="1")).outcome == "kept"
    finally:
        await runner.close()


async def test_an_interpreter_that_goes_away_is_a_crash_that_says_so(node: Node, tmp_path: Path) -> None:
    link = tmp_path / "node"
    link.symlink_to(node.path)
    runner = RuleRunner(replace(node, path=link).command(None))
    try:
        await runner.start(rule_set({"keep": KEEP}))
        link.unlink()
        os.kill(runner.pids[0], signal.SIGKILL)
        while runner.pids:  # noqa: ASYNC110  nothing tells of it
            await asyncio.sleep(0.02)
        run = await runner.run(["keep"], USER, CONTEXT, event="1")
        assert run.outcome == "crashed"
        assert f"a rule process ended at its start: {link} is gone" in (run.steps[0].error or "")
        link.symlink_to(node.path)
        while not runner.pids:  # noqa: ASYNC110  nothing tells of it
            await asyncio.sleep(0.02)
        assert (await runner.run(["keep"], USER, CONTEXT, event="2")).outcome == "kept"
    finally:
        await runner.close()


@pytest.mark.parametrize(("killed", "starts"), [(2, True), (3, False)])
async def test_a_process_that_is_killed_at_the_first_start_is_started_again(
    node: Node, tmp_path: Path, killed: int, *, starts: bool
) -> None:
    command = node.command(None)
    # Its arguments are the counter and the command; the kernel kills the first ones, as where memory is short.
    script = f'echo >> "$0"; [ "$(wc -l < "$0")" -gt {killed} ] || kill -KILL $$; exec "$@"'
    counter = tmp_path / "starts"
    runner = RuleRunner(replace(command, arguments=["/bin/sh", "-c", script, str(counter), *command.arguments]))
    try:
        if starts:
            assert await runner.start(rule_set({"keep": KEEP})) == ()
            assert (await runner.run(["keep"], USER, CONTEXT, event="1")).outcome == "kept"
        else:
            with pytest.raises(EnvironmentUnusable, match="a rule process ended at its start: it was ended by SIGKILL"):
                await runner.start(rule_set({"keep": KEEP}))
        assert len(counter.read_text().splitlines()) == 3
    finally:
        await runner.close()


async def test_a_command_that_is_no_rule_process_is_named(node: Node) -> None:
    command = replace(node.command(None), arguments=["/bin/echo", "hello"])
    runner = RuleRunner(command)
    with pytest.raises(EnvironmentUnusable, match="a rule process ended at its start: it exited with 0"):
        await runner.start(rule_set({}))
    await runner.close()


async def test_what_does_not_work_under_the_limits_is_named_at_the_start() -> None:
    """Without the flag, `fetch` of Node.js 20 needs more address space than a rule process has."""
    node = find_node(os.environ.get("PATH", ""))
    if not node.version.startswith("v20."):
        pytest.skip(f"{node.version} does without")
    arguments = [argument for argument in node.command(None).arguments if argument != "--disable-wasm-trap-handler"]
    runner = RuleRunner(replace(node.command(None), arguments=arguments))
    with pytest.raises(EnvironmentUnusable, match="under the limits of a rule process: fetch: "):
        await runner.start(rule_set({}))
    await runner.close()


@pytest.mark.parametrize(
    ("version", "says"),
    [("v18.20.1", "is v18.20.1"), ("v20.18.3", "is v20.18.3"), ("nonsense", "does not run")],
)
def test_an_interpreter_that_is_too_old_is_named_with_what_to_do(tmp_path: Path, version: str, says: str) -> None:
    path = tmp_path / "node"
    path.write_text(f"#!/bin/sh\necho '[\"{version}\", []]'\n")
    path.chmod(0o755)
    with pytest.raises(EnvironmentUnusable) as raised:
        find_node(str(tmp_path))
    assert says in str(raised.value)
    assert "rules need Node.js 20.19 or newer" in str(raised.value)
    assert "auth0-webhooks[js]" in str(raised.value)


def test_no_interpreter_at_all_is_named(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentUnusable, match="There is none on PATH"):
        find_node(str(tmp_path))


def test_flags_go_by_what_the_interpreter_knows(tmp_path: Path) -> None:
    old = Node(path=Path("/node"), version="v20.19.0", flags=frozenset({"--experimental-permission"}))
    new = Node(path=Path("/node"), version="v25.0.0", flags=frozenset({"--permission", "--allow-net"}))
    assert "--experimental-permission" in old.command(tmp_path).arguments
    assert f"--allow-fs-read={tmp_path.resolve()}" in old.command(tmp_path).arguments
    assert {"--permission", "--allow-net"} <= set(new.command(None).arguments)
    assert not [argument for argument in new.command(None).arguments if "wasm" in argument]


def test_a_seat_belt_that_is_missing_is_named() -> None:
    plain = Node(path=Path("/node"), version="v20.19.0", flags=frozenset())
    assert "Node.js v20.19.0 has no permission model: rules may read files and start programs" in plain.command(None).unlimited
    assert len(plain.command(None).unlimited) == (1 if sys.platform == "linux" else 2)


@pytest.mark.parametrize(
    ("code", "words"), [(3, "it exited with 3"), (-9, "it was ended by SIGKILL"), (-77, "it was ended by signal 77")]
)
def test_an_exit_code_in_words(code: int, words: str) -> None:
    assert exit_words(code) == words


async def test_an_error_of_its_start_is_raised(node: Node, tmp_path: Path) -> None:
    command = replace(node.command(None), folder=tmp_path / "gone")
    with pytest.raises(OSError, match="gone"):
        await RuleProcess.start(command, on_message=lambda _: None, on_end=lambda _: None)
