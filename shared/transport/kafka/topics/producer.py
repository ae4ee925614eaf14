"""An idempotent producer for single records, each acknowledged before the next. Blocks.

It is made when it is first needed. After a failed send it never recovers by itself, so it is discarded, and the next record gets
a new one. A record whose send failed may be in the topic all the same: write only what may be there twice.
"""

from __future__ import annotations

from typing import Final

from kafka.errors import KafkaError, MessageSizeTooLargeError

from shared.errors import PublishFailed, TransportUnusable
from shared.record import Headers
from shared.settings import TransportSettings
from shared.transport.kafka.client.clients import idempotent_producer
from shared.transport.kafka.client.errors import Access, translation
from shared.transport.kafka.client.internals import QuietProducer, abandon
from shared.transport.kafka.topics.sizes import max_message_bytes, packed_room, room

#: Seconds. A broker that is away for less than the first is waited for by the client itself; the second bounds one record.
DELIVERY: Final = 15.0
BOUND: Final = 18.0
#: Bytes; the brokers' own bound of a request. The topic's bound is what counts, and is compared before.
_MAX_REQUEST: Final = 100 * 1024 * 1024
#: Bytes. Hardly any topic allows less, so below this the brokers are not asked for its bound.
_SMALL: Final = 64 * 1024


class RecordProducer:
    def __init__(self, settings: TransportSettings) -> None:
        self._settings = settings
        self._producer: QuietProducer | None = None
        #: max.message.bytes by topic, where the brokers were asked for it.
        self._bounds: dict[str, int] = {}

    def write(self, topic: str, key: bytes | None, value: bytes | None, headers: Headers = ()) -> int:
        """Writes to one of our topics. Returns the offset. Raises `PublishFailed`."""
        try:
            self._check_size(topic, key, value, headers)
            producer = self._producer = self._producer or idempotent_producer(
                self._settings, delivery=DELIVERY, max_request_size=_MAX_REQUEST
            )
            return int(producer.send(topic, value, key, list(headers)).get(BOUND).offset)
        except MessageSizeTooLargeError as error:
            self.close()
            raise _too_large(topic, packed_room(key, value, headers), "a smaller one") from error
        except (KafkaError, OSError, ValueError, TransportUnusable) as error:
            self.close()
            raise PublishFailed(self._line(error, topic)) from error

    def close(self) -> None:
        """Ends it at once; nothing is written any more once this returns. Idempotent; the next `write` makes a new client."""
        producer, self._producer = self._producer, None
        if producer is not None:
            abandon(producer)

    def _check_size(self, topic: str, key: bytes | None, value: bytes | None, headers: Headers) -> None:
        known = self._bounds.get(topic, _SMALL)
        plain = room(key, value, headers)
        if plain > known and (needed := min(plain, packed_room(key, value, headers))) > known:
            # Asked each time: an operator may have raised it.
            bound = self._bounds[topic] = max_message_bytes(self._settings, topic)
            if needed > bound:
                raise _too_large(topic, needed, str(bound))

    def _line(self, error: Exception, topic: str) -> str:
        if isinstance(error, TransportUnusable):
            return str(error)
        return str(translation(self._settings, error, f"writing to topic {topic}", Access("WRITE", f"topic {topic}")))


def _too_large(topic: str, needed: int, found: str) -> PublishFailed:
    return PublishFailed(
        f"too large for topic {topic}: it needs a max.message.bytes of {needed}, the topic has {found}; raise it: "
        f"kafka-configs.sh --alter --entity-type topics --entity-name {topic} --add-config max.message.bytes={needed}"
    )
