"""The topics on Kafka: what is on the cluster before anything runs. Everything here blocks."""

from __future__ import annotations

from typing import Any

from admin import compose
from shared.settings import TransportSettings
from shared.transport.kafka.topics import topics
from shared.transport.kafka.topics.topics import commands

__all__ = ["commands", "create", "describe"]


def create(settings: TransportSettings, partitions: int | None) -> topics.Report:
    """Make the topics that are missing. Raises `TransportUnusable`, also where one that is there differs."""
    compose.require_broker(settings)
    return topics.create(settings, partitions)


def describe(settings: TransportSettings) -> list[dict[str, Any]]:
    """Every topic of ours as it is on the cluster; all but its name is None where it is missing. Raises `TransportUnusable`."""
    compose.require_broker(settings)
    return [
        {
            "topic": name,
            "partitions": topic.partitions if topic else None,
            "replicas": topic.replicas if topic else None,
            "configs": dict(topic.configs) if topic else None,
        }
        for name, topic in topics.show(settings)
    ]
