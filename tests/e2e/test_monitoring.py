"""Metrics, health and a pause, of processes as they are started."""

from __future__ import annotations

import asyncio
import shutil
import socket
import subprocess
from collections.abc import Callable

import pytest

from simulator.tenant_log import TenantLog
from tests.e2e.stack import Stack, simple
from tests.support.listed_log import ListedLog
from tests.support.process_guard import guarded
from tests.support.scrape import ask, free_port, samples_of
from tests.support.transports import Log

StackOf = Callable[[TenantLog], Stack]
COUNT = 40


def _asked(port: int, path: str = "/metrics") -> tuple[int, str]:
    return asyncio.run(ask(port, path))


def test_a_process_serves_what_the_receiver_and_the_log_saw_and_begins_at_0_again(stack_of: StackOf, log: Log) -> None:
    tenant_log = ListedLog(simple(range(COUNT)))
    stack, port = stack_of(tenant_log), free_port()
    runs = stack.start("run", METRICS_PORT=str(port))
    stack.wait_delivered(COUNT)
    stack.until(lambda: samples_of(_asked(port)[1]).get('auth0_webhooks_commits_total{result="ok"}', 0) > 0)
    assert _asked(port, "/healthz") == _asked(port, "/readyz") == (200, "ok\n")
    text = _asked(port)[1]
    samples = samples_of(text)
    assert samples["auth0_webhooks_events_published_total"] == len(log.dump()) == COUNT
    assert samples["auth0_webhooks_events_delivered_total"] == len(stack.receiver.journal.delivered) == COUNT
    assert samples['auth0_webhooks_attempts_total{outcome="200"}'] == len(stack.receiver.journal)
    _held_against_promtool(text)
    assert runs.stop() == 0
    runs = stack.start("run", METRICS_PORT=str(port))
    runs.wait_for_log("partition assigned")
    tenant_log.append(simple([COUNT])[0])
    stack.wait_delivered(COUNT + 1)
    stack.until(lambda: samples_of(_asked(port)[1])["auth0_webhooks_events_delivered_total"] == 1)
    assert runs.stop() == 0


def _held_against_promtool(text: str) -> None:
    promtool = shutil.which("promtool")
    if promtool is not None:
        checked = subprocess.run(
            [promtool, "check", "metrics"], input=text.encode(), capture_output=True, check=False, env=guarded({})
        )
        assert (checked.returncode, checked.stdout, checked.stderr) == (0, b"", b"")


@pytest.mark.parametrize("command", ["run", "produce", "consume"])
@pytest.mark.parametrize("log", ["sqlite"], indirect=True)
def test_a_port_that_is_taken_ends_the_process_with_one_line(stack_of: StackOf, log: Log, command: str) -> None:
    stack = stack_of(ListedLog())
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        process = stack.start(command, METRICS_PORT=str(port))
        assert process.wait() == 3
    errors = [line for line in process.text.splitlines() if '"level": "error"' in line]
    assert len(errors) == 1
    assert f"METRICS_HOST=127.0.0.1 and METRICS_PORT={port}: cannot listen there" in errors[0]
    assert "Traceback" not in process.text


def test_run_once_stores_what_is_new_while_it_is_paused_delivers_nothing_and_says_why(stack_of: StackOf, log: Log) -> None:
    tenant_log = ListedLog(simple(range(5)))
    stack = stack_of(tenant_log)
    assert stack.start("run", "--once").wait() == 0
    assert stack.start("pause", "--reason", "migration", "--by", "ada", "--yes").wait() == 0
    for raw in simple(range(5, 9)):
        tenant_log.append(raw)
    once = stack.start("run", "--once")
    assert once.wait() == 3
    assert "Paused by ada since " in once.text
    assert "UTC: migration. Nothing is delivered until auth0-webhooks resume ends that" in once.text
    assert len(log.dump()) == 9
    assert len(stack.receiver.journal.delivered) == 5
    assert stack.start("resume", "--yes").wait() == 0
    assert stack.start("run", "--once").wait() == 0
    assert len(stack.receiver.journal.delivered) == 9
    assert stack.receiver.journal.duplicates == ()
