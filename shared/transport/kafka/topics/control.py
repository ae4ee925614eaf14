"""The control table on Kafka: hands everything to the client thread that owns the clients."""

from __future__ import annotations

from collections.abc import Mapping

from shared.settings import TransportSettings
from shared.transport.kafka.client.thread import ClientThread
from shared.transport.kafka.topics.follower import Follower
from shared.transport.kafka.topics.producer import Writer
from shared.transport.port import Control


class KafkaControl(Control):
    def __init__(self, settings: TransportSettings, thread: ClientThread) -> None:
        self._topic = settings.control_topic
        self._writer = Writer(settings)
        self._follower = Follower(settings, self._topic)
        self._thread = thread

    async def put(self, key: str, document: bytes) -> None:
        await self._thread.run(self._writer.write, self._topic, _key(key), document)

    async def delete(self, key: str) -> None:
        await self._thread.run(self._writer.write, self._topic, _key(key), None)

    async def snapshot(self) -> Mapping[str, bytes]:
        documents = await self._thread.run(self._follower.look)
        return {key.decode("utf-8", "backslashreplace"): document for key, document in documents.items()}

    async def close(self) -> None:
        await self._thread.end(self._close)

    def _close(self) -> None:
        self._writer.close()
        self._follower.close()


def _key(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
