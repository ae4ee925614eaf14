"""A gate in front of a broker that cuts everything off at the n-th request, as if the broker died at just that moment.

It counts Kafka's requests over all connections. At the one that is named every connection is reset, that request never arrives,
and the next `turned_away` connections are reset as soon as they are made.
It also drops responses: the broker has done what was asked, and its connection is reset instead of saying so.
"""

from __future__ import annotations

import re
import socket
import struct
import threading
from contextlib import suppress
from typing import Final

from tests.support.kafka.broker import JarsBroker, free_port

_RESET: Final = struct.pack("ii", 1, 0)
#: Keys of Kafka's protocol.
PRODUCE: Final = 0
OFFSET_COMMIT: Final = 8
_ANY: Final = re.compile(b"")


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
        #: Key and a part of the request: of each that matches, the response is dropped if its number is among these.
        self._drop: tuple[int, re.Pattern[bytes], frozenset[int]] = (-1, _ANY, frozenset())
        self._matches = 0
        #: Responses that were dropped.
        self.dropped = 0
        self._turn_away = self._turned_away = 0
        threading.Thread(target=self._accept, name="gate", daemon=True).start()

    def cut(self, *at: int, turned_away: int = 0) -> None:
        """At these requests, counted from now on; none: let everything through."""
        with self._lock:
            self.requests = self.cuts = self._turn_away = 0
            self._at, self._turned_away = frozenset(at), turned_away

    def drop(self, key: int, *at: int, holding: re.Pattern[bytes] | None = None) -> None:
        """Drops the response to these requests of the key, counted from now on; `holding`: only of those that hold this."""
        with self._lock:
            self._drop, self._matches, self.dropped = (key, holding or _ANY, frozenset(at)), 0, 0

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
            doomed: set[bytes] = set()  # correlation ids of the requests whose response is dropped
            arguments = (client, broker, doomed)
            threading.Thread(target=self._pass_requests, args=arguments, name="gate-in", daemon=True).start()
            threading.Thread(target=self._pass_responses, args=arguments, name="gate-out", daemon=True).start()

    def _pass_requests(self, client: socket.socket, broker: socket.socket, doomed: set[bytes]) -> None:
        with suppress(OSError), client.makefile("rb") as stream:
            while len(head := stream.read(4)) == 4:
                body = stream.read(int.from_bytes(head, "big"))
                if self._is_cut():
                    self._reset_all()
                    return
                if self._is_dropped(body):
                    doomed.add(body[4:8])
                broker.sendall(head + body)
        self._end(client, broker)

    def _pass_responses(self, client: socket.socket, broker: socket.socket, doomed: set[bytes]) -> None:
        with suppress(OSError), broker.makefile("rb") as stream:
            while len(head := stream.read(4)) == 4:
                body = stream.read(int.from_bytes(head, "big"))
                if body[:4] in doomed:
                    with self._lock:
                        self.dropped += 1
                    break
                client.sendall(head + body)
        self._end(client, broker)

    def _is_dropped(self, request: bytes) -> bool:
        with self._lock:
            key, holding, at = self._drop
            if int.from_bytes(request[:2], "big") != key or not holding.search(request):
                return False
            self._matches += 1
            return self._matches in at

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
