"""A broker that tests start, stop, kill and freeze, on one fixed port of 127.0.0.1.

`Broker` says what all can do; `JarsBroker` runs Apache Kafka's own jars as a child process, `docker` a container,
`ExternalBroker` is one that runs already and that can only be used.
"""

from __future__ import annotations

import fcntl
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import cycle
from pathlib import Path
from typing import Final, Self

from tests.support.kafka.jars import Jars, Unavailable, install, locked, properties_text
from tests.support.kafka.readiness import wait_until_ready
from tests.support.process_guard import guarded, remove_at_end

START_BOUND: Final = 60.0
ARCHIVE_BOUND: Final = 60.0
#: Ports of one process, and the first one of all. They end below the range from which the system takes outgoing ones: a client
#: that tries again and again to reach a stopped broker could be given the broker's own port, be connected to itself, and keep
#: the broker from coming back.
_BLOCK: Final = 50
_BLOCKS: Final = range(12_000, 32_000, _BLOCK)
#: How many lines of its log a broker that did not start leaves in the message.
_LOG_LINES: Final = 6

#: Beside listeners and folders. The last two let a killed broker come back in 1.8 s instead of 10.8 s (it waits until its own old
#: registration expires); without the dedupe buffer 128 MB of heap do not start; the session bound allows tests short sessions.
BASICS: Final = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "group.initial.rebalance.delay.ms": "0",
    "group.min.session.timeout.ms": "1000",
    "auto.create.topics.enable": "false",
    "log.cleaner.dedupe.buffer.size": "2097152",
    "broker.session.timeout.ms": "1000",
    "broker.heartbeat.interval.ms": "300",
}
#: On top of them for a broker that is not killed: on a busy machine heartbeats come late, and no group must suffer for it. The
#: last two halve what it does while nothing is asked of it: for the minutes of a test run that is several seconds of CPU.
PATIENT: Final = {
    "broker.session.timeout.ms": "10000",
    "broker.heartbeat.interval.ms": "2000",
    "metadata.max.idle.interval.ms": "0",
}


class Broker(ABC):
    """One Kafka node. `bootstrap` ("127.0.0.1:PORT", plaintext) stays the same over every restart."""

    bootstrap: str

    @property
    def environment(self) -> dict[str, str]:
        """The environment variables with which our program comes through the plaintext door."""
        return {"KAFKA_BOOTSTRAP_SERVERS": self.bootstrap}

    @abstractmethod
    def start(self) -> None:
        """Start, or start again on the same data; returns when groups can be asked for. Raises `Unavailable`."""

    @abstractmethod
    def stop(self) -> None:
        """Stop in good order (SIGTERM); idempotent."""

    @abstractmethod
    def kill(self) -> None:
        """SIGKILL; `start` brings it back on the same data in about 2 s."""

    @abstractmethod
    def freeze(self) -> None:
        """Stop its clock: connections stay open, the port accepts, no response comes."""

    @abstractmethod
    def thaw(self) -> None: ...

    @abstractmethod
    def close(self) -> None:
        """Stop and remove all data; idempotent."""

    def __reduce__(self) -> tuple[object, ...]:
        """In another process of the test run it is one that runs already."""
        return ExternalBroker, (self.bootstrap,)

    def restart(self) -> None:
        self.stop()
        self.start()

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class ExternalBroker(Broker):
    """A cluster that runs already; it is left as it is."""

    def __init__(self, bootstrap: str) -> None:
        self.bootstrap = bootstrap

    def start(self) -> None:
        wait_until_ready(self.bootstrap, bound=5.0)

    def stop(self) -> None:
        raise Unavailable("this broker was not started by the tests")

    kill = freeze = thaw = stop

    def close(self) -> None:
        pass


class JarsBroker(Broker):
    """A child process of the test run. 1 s to start, 160 MB; `properties` come on top of the basics."""

    def __init__(self, properties: Mapping[str, str] | None = None, *, port: int | None = None) -> None:
        port = port or free_port()
        self.bootstrap = f"127.0.0.1:{port}"
        self.folder = Path(tempfile.mkdtemp(prefix="test-kafka-"))
        remove_at_end(self.folder)
        self._properties = {
            **BASICS,
            **_listeners(port, free_port()),
            "log.dirs": str(self.folder / "data"),
            **(properties or {}),
        }
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def voters(self) -> str:
        """Where the controller is, as the nodes of its cluster are told."""
        return self._properties["controller.quorum.voters"]

    @property
    def log(self) -> str:
        path = self.folder / "broker.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def start(self) -> None:
        if self._process is None:
            jars = install()
            with locked(jars):
                if not jars.archive.exists():
                    self._make_archive(jars)
            self._launch(jars, f"-XX:SharedArchiveFile={jars.archive}")

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def freeze(self) -> None:
        process = self._running
        process.send_signal(signal.SIGSTOP)
        # On a busy machine the thread that takes the signal may wait for its turn while others go on responding.
        os.waitid(os.P_PID, process.pid, os.WSTOPPED)

    def thaw(self) -> None:
        self._running.send_signal(signal.SIGCONT)

    def close(self) -> None:
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def _running(self) -> subprocess.Popen[bytes]:
        assert self._process is not None, "the broker does not run"
        return self._process

    def _make_archive(self, jars: Jars) -> None:
        """One run that writes its class archive as it ends; 3 s. A machine too busy for it starts its brokers without one."""
        draft = jars.archive.with_suffix(".draft")
        self._launch(jars, f"-XX:ArchiveClassesAtExit={draft}")
        self._end(signal.SIGTERM, within=ARCHIVE_BOUND)
        if draft.exists():
            draft.replace(jars.archive)

    def _launch(self, jars: Jars, *extra: str) -> None:
        settings = self.folder / "server.properties"
        settings.write_text(properties_text(self._properties))
        if not (self.folder / "data").exists():
            jars.format(self.folder / "data")
        with (self.folder / "broker.log").open("ab") as log:
            # A session of its own: Ctrl-C ends the tests first, and they end the broker.
            command = jars.command("kafka.Kafka", str(settings), extra=extra)
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=guarded(), start_new_session=True
            )
        try:
            wait_until_ready(self.bootstrap, bound=START_BOUND, process=self._process)
        except Unavailable as error:
            self.kill()
            raise type(error)(f"{error}: {self._last_lines()}") from None

    def _last_lines(self) -> str:
        """In one line, which is all that a test runner shows; without stack frames."""
        lines = [line.strip() for line in self.log.splitlines() if not line.startswith(("\tat ", "\t... "))]
        return " | ".join(lines[-_LOG_LINES:]) or "its log is empty"

    def _end(self, how: signal.Signals, *, within: float = 10.0) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(signal.SIGCONT)
            process.send_signal(how)
            try:
                process.wait(within)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def free_port() -> int:
    """Returns a port of this process's own block that is free."""
    for port in _ports():
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("unreachable")


@cache
def _ports() -> Iterator[int]:
    """The ports of one block, over and over. The lock on it is held until this process ends.

    A broker binds its ports seconds after they were chosen, on a busy machine 20 s. Until then another test run could choose the
    same ones, and the broker that came second would end.
    """
    folder = Path(tempfile.gettempdir(), f"auth0-webhooks-test-ports-{os.getuid()}")
    folder.mkdir(exist_ok=True)
    for first in random.sample(_BLOCKS, len(_BLOCKS)):
        lock = os.open(folder / str(first), os.O_RDWR | os.O_CREAT)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            continue
        return cycle(range(first, first + _BLOCK))
    raise Unavailable(f"other test runs hold all blocks of ports in {folder}")


def _listeners(port: int, controller: int) -> dict[str, str]:
    return {
        "controller.quorum.voters": f"1@127.0.0.1:{controller}",
        "listeners": f"PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{port}",
    }


if __name__ == "__main__":  # fills the cache of jars and classes
    if not install().archive.exists():
        with JarsBroker():
            pass
