"""One measurement: how many events, in how much time, for how much CPU."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.client import HEADERS, SECRET
from bench.events import body, log_id_of
from bench.logs import KafkaLog, SqliteLog
from bench.processes import COMMAND, module, running
from bench.receiver import ReceiverProcess, receiver_process
from tests.support.process_guard import guarded

_START: Final = 40.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    calls: int
    #: Seconds.
    seconds: float
    #: Seconds of CPU, of all our processes together.
    cpu: float
    #: From request to response, as the receiver measured it, in seconds.
    latency: float
    #: The most calls that the receiver had open at once.
    most_open: int
    duplicates: int
    rss: float = 0.0
    #: From one request to the next, in seconds: with one user, how long one event took. The median, and the 99th percentile.
    between: tuple[float, float] = (0.0, 0.0)

    @property
    def rate(self) -> float:
        """Calls a second."""
        return self.calls / self.seconds

    @property
    def cpu_per_call(self) -> float:
        """Microseconds."""
        return self.cpu / self.calls * 1e6

    def share(self, concurrency: int) -> float:
        """Returns the part of the rate that this many calls, always open, would reach."""
        return self.rate * self.latency / concurrency


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """When to measure, in seconds: after `warm`, for `long`."""

    warm: float
    long: float


def consumer(
    log: KafkaLog | SqliteLog, folder: Path, *, concurrency: int, latency: float, span: Span, replicas: int = 1, **settings: str
) -> Measurement:
    """Measure `consume` against the receiver."""
    with receiver_process(latency, folder) as receiver, ExitStack() as exits:
        environ = {
            **log.environ(),
            "WEBHOOK_URL": receiver.url,
            "WEBHOOK_SECRET": SECRET,
            "WEBHOOK_CONCURRENT_CALLS": str(concurrency),
            **settings,
        }
        processes = [
            exits.enter_context(running([*COMMAND, "consume"], folder, environ, name=f"consumer-{number}"))
            for number in range(replicas)
        ]
        for process in processes:
            process.wait_for("concurrent calls of this member", within=_START)
        _first_call(receiver)
        time.sleep(span.warm)
        before, since = receiver.count()
        spent = sum(process.cpu for process in processes)
        time.sleep(span.long)
        after, until = receiver.count()
        spent = sum(process.cpu for process in processes) - spent
        rss = max(process.rss_most for process in processes)
        summary = receiver.summary(since, until)
    if summary["refused"]:
        raise RuntimeError(f"{summary['refused']} calls did not get a 200")
    return Measurement(
        calls=after - before,
        seconds=(until - since) / 1e9,
        cpu=spent,
        latency=summary["latency"],
        most_open=summary["most_open"],
        duplicates=summary["duplicates"],
        rss=rss,
        between=tuple(summary["between"]),
    )


def client(kind: str, folder: Path, *, concurrency: int, latency: float, span: Span) -> Measurement:
    """Measure the client `own` or `aiohttp`, without a log."""
    with receiver_process(latency, folder) as receiver:
        command = module("bench.client", kind, receiver.url, concurrency, span.warm, span.long)
        with running(command, folder, {}, name="client") as process:
            result = json.loads(process.line("result ", within=span.warm + span.long + 30).removeprefix("result "))
            process.wait(20)
        summary = receiver.summary(result["since"], result["until"])
    if result["failures"]:
        raise RuntimeError(f"{result['failures']} calls did not get a 200")
    return Measurement(
        calls=result["calls"],
        seconds=(result["until"] - result["since"]) / 1e9,
        cpu=result["cpu"],
        latency=summary["latency"],
        most_open=summary["most_open"],
        duplicates=summary["duplicates"],
    )


def wrk_call(folder: Path, *, seconds: float) -> float | None:
    """Returns the CPU of one call by `wrk`, the same request on 50 connections without latency, in µs; None without wrk or nginx.

    Against nginx: with a receiver slower than wrk, wrk waits more often, its calls cost more, and our figures look better.
    """
    if shutil.which("wrk") is None or shutil.which("nginx") is None:
        return None
    script = folder / "post.lua"
    headers = {**HEADERS, "webhook-id": log_id_of(0), "webhook-signature": f"v1,{'a' * 44}"}
    lines = [f'wrk.headers["{name}"] = "{value}"' for name, value in headers.items()]
    script.write_text("\n".join(['wrk.method = "POST"', f"wrk.body = [====[{body().decode()}]====]", *lines]))
    with _nginx(folder) as url:
        command = ["wrk", "-t1", "-c50", f"-d{round(seconds)}s", "-s", str(script), url]
        popen = subprocess.Popen(command, env=guarded(), stdout=subprocess.PIPE, text=True)
        output = popen.stdout.read() if popen.stdout else ""
        _, _, usage = os.wait4(popen.pid, 0)
        popen.returncode = 0
    found = re.search(r"(\d+) requests in", output)
    if not found:
        raise RuntimeError(f"wrk says: {output}")
    return (usage.ru_utime + usage.ru_stime) / int(found[1]) * 1e6


@contextmanager
def _nginx(folder: Path) -> Iterator[str]:
    """Run one worker that reads the request and responds with 200."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    server = 'location / { return 200 "ok\\n"; }'
    http = f"access_log off; keepalive_requests 100000000; server {{ listen {address}; {server} }}"
    settings = folder / "nginx.conf"
    settings.write_text(
        f"daemon off; master_process off; pid {folder}/nginx.pid; error_log {folder}/nginx.err;\nevents {{}}\nhttp {{ {http} }}\n"
    )
    with running(["nginx", "-p", str(folder), "-c", str(settings)], folder, {}, name="nginx"):
        deadline = time.monotonic() + 10
        while True:
            try:
                socket.create_connection(("127.0.0.1", int(address.rpartition(":")[2])), timeout=1).close()
            except ConnectionRefusedError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
            else:
                break
        yield f"http://{address}/"


def _first_call(receiver: ReceiverProcess) -> None:
    deadline = time.monotonic() + _START
    while not receiver.count()[0]:
        if time.monotonic() > deadline:
            raise TimeoutError("no call arrived")
        time.sleep(0.05)
