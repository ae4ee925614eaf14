"""For how long the brokers keep an event, as the alarm before a loss asks for it."""

from __future__ import annotations

from shared.settings import TransportSettings
from shared.transport.kafka.transport import KafkaTransport
from tests.integration.kafka_operator.fixtures import configure


async def test_the_topic_s_retention_is_told_in_seconds_and_for_ever_is_none(settings: TransportSettings) -> None:
    transport, found = KafkaTransport(settings), []
    for milliseconds in (1_209_600_000, 90_500, -1):
        configure(settings, settings.topic, retention_ms=milliseconds)
        found.append(await transport.retention())
    await transport.close()
    assert found == [14 * 86_400, 90.5, None]
