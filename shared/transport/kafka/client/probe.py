"""One blocking connection to one server that sends requests of Kafka's protocol and reads the responses, under one deadline.

The protocol is kafka-python's own code without its event loop: what is understood here is understood there.
"""

from __future__ import annotations

import socket
import struct
import time
from typing import Any, Final

from kafka.errors import KafkaError
from kafka.protocol.parser import KafkaProtocol

#: Shown in the brokers' logs and metrics.
CLIENT_ID: Final = "auth0-webhooks"
_TLS_ALERT: Final = b"\x15"


class NotKafka(Exception):
    """What came back is no response of Kafka; `tls` when it is the alert of a port that speaks TLS."""

    def __init__(self, start: bytes) -> None:
        super().__init__(start)
        self.tls = start.startswith(_TLS_ALERT)


class ProbeConnection:
    """`deadline` is a moment of `time.monotonic`."""

    def __init__(self, connection: socket.socket, deadline: float) -> None:
        self._connection = connection
        self._deadline = deadline
        self._protocol = KafkaProtocol(client_id=CLIENT_ID)

    def request(self, request: Any, *, version: int) -> Any:
        """Returns the response.

        Raises `TimeoutError` for silence, `ConnectionError` when the other side hung up, `ssl.SSLError`, and `NotKafka`.
        """
        request.API_VERSION = version
        self._protocol.send_request(request)
        self._bound_next_wait()
        self._connection.sendall(self._protocol.send_bytes())
        while True:
            self._bound_next_wait()
            data = self._connection.recv(65536)
            if not data:
                raise ConnectionResetError("the connection was closed")
            responses = self._parse(data)
            if responses:
                return responses[0][1]

    def _parse(self, data: bytes) -> list[tuple[int, Any]]:
        try:
            responses: list[tuple[int, Any]] = self._protocol.receive_bytes(data)
        except (KafkaError, ValueError, struct.error):
            raise NotKafka(data) from None
        return responses

    def _bound_next_wait(self) -> None:
        # Not 0: that would mean "do not wait" and raise another exception.
        self._connection.settimeout(max(0.001, self._deadline - time.monotonic()))
