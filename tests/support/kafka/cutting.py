"""A gate in front of a broker that cuts everything off at the n-th request, as if the broker died at just that moment.

It counts Kafka's requests over all connections. At the one that is named every connection is reset, that request never arrives,
and the next `turned_away` connections are reset as soon as they are made.
"""

from __future__ import annotations

import socket
import struct
import threading
from contextlib import suppress
from typing import Final

from tests.support.kafka.broker import JarsBroker, free_port

_RESET: Final = struct.pack("ii", 1, 0)


class Gate:
    """Open until `cut`. Its own port is the broker's advertised one, so no client gets around it."""

    def __init__(self, port: int, broker: int) -> None:
        self.bootstrap = f"127.0.0.1:{port}"
        self._broker = broker
        self._server = socket.create_server(("127.0.0.1", port))
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        #: Requests since the last `cut`.
        self.requests = 0
        #: How often it did so.
        self.cuts = 0
        self._at: frozenset[int] = frozenset()
        self._turn_away = self._turned_away = 0
        threading.Thread(target=self._accept, name="gate", daemon=True).start()

    def cut(self, *at: int, turned_away: int = 0) -> None:
        """At these requests, counted from now on; none: let everything through."""
        with self._lock:
            self.requests = self.cuts = self._turn_away = 0
            self._at, self._turned_away = frozenset(at), turned_away

    def close(self) -> None:
        with suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self._reset_all()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._server.accept()
            except OSError:
                return
            with self._lock:
                turned_away = self._turn_away > 0
                self._turn_away -= turned_away
            try:
                broker = None if turned_away else socket.create_connection(("127.0.0.1", self._broker), timeout=5)
            except OSError:
                broker = None
            if broker is None:
                _reset(client)
                continue
            broker.settimeout(None)
            with self._lock:
                self._open |= {client, broker}
            threading.Thread(target=self._pass_requests, args=(client, broker), name="gate-in", daemon=True).start()
            threading.Thread(target=self._pass_responses, args=(client, broker), name="gate-out", daemon=True).start()

    def _pass_requests(self, client: socket.socket, broker: socket.socket) -> None:
        with suppress(OSError), client.makefile("rb") as stream:
            while len(head := stream.read(4)) == 4:
                body = stream.read(int.from_bytes(head, "big"))
                if self._is_cut():
                    self._reset_all()
                    return
                broker.sendall(head + body)
        self._end(client, broker)

    def _pass_responses(self, client: socket.socket, broker: socket.socket) -> None:
        with suppress(OSError):
            while data := broker.recv(65536):
                client.sendall(data)
        self._end(client, broker)

    def _is_cut(self) -> bool:
        with self._lock:
            self.requests += 1
            found = self.requests in self._at
            if found:
                self.cuts += 1
                self._turn_away = self._turned_away
            return found

    def _reset_all(self) -> None:
        with self._lock:
            ended, self._open = self._open, set()
        for one in ended:
            _reset(one)

    def _end(self, *pair: socket.socket) -> None:
        with self._lock:
            ended = self._open.intersection(pair)
            self._open -= ended
        for one in ended:
            _reset(one)


def _reset(one: socket.socket) -> None:
    with suppress(OSError):
        one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        # `close` alone does nothing while another thread reads.
        one.shutdown(socket.SHUT_RDWR)
    one.close()


class BrokerBehindGate(JarsBroker):
    """Comes by the gate of its own, which is open at first; `close` ends both."""

    def __init__(self) -> None:
        port, own = free_port(), free_port()
        self.gate = Gate(port, own)
        super().__init__({"advertised.listeners": f"PLAINTEXT://{self.gate.bootstrap}"}, port=own)

    def close(self) -> None:
        super().close()
        self.gate.close()
