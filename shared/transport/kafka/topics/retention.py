"""For how long the topic of events keeps a record."""

from __future__ import annotations

from kafka.admin import ConfigResource, ConfigResourceType

from shared.errors import TransportUnreachable, TransportUnusable
from shared.settings import TransportSettings
from shared.transport.kafka.client.clients import administrator
from shared.transport.kafka.client.errors import Access, translated


def topic_retention(settings: TransportSettings) -> float | None:
    """Returns seconds; None: for ever, or we may not read it. Blocks. Raises `TransportUnreachable`.

    A topic may also have a bound in bytes (`retention.bytes`); nothing tells when that is reached.
    """
    resource = ConfigResource(ConfigResourceType.TOPIC, settings.topic, ["retention.ms"])
    access = Access("DESCRIBE_CONFIGS", f"topic {settings.topic}")
    try:
        with administrator(settings) as admin, translated(settings, "asking for topic configurations", access):
            response = admin.describe_configs([resource], config_filter="all")
    except TransportUnreachable:
        raise
    except TransportUnusable:
        return None
    found = response.get("topic", {}).get(settings.topic, {}).get("retention.ms")
    milliseconds = int(found["value"]) if found else -1
    return milliseconds / 1000 if milliseconds >= 0 else None
