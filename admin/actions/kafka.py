"""What only Kafka needs: the topics, and a lost checkpoint set again. Everything here blocks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from admin import compose_transport
from shared.errors import EnvironmentUnusable, PublishFailed
from shared.settings import TransportSettings
from shared.transport.kafka.topics import checkpoints, topics
from shared.transport.kafka.topics.topics import commands
from shared.transport.port import Checkpoint

__all__ = ["commands", "create_topics", "describe_topics", "recover_checkpoint"]


def create_topics(settings: TransportSettings, partitions: int | None) -> topics.Report:
    """Make the topics that are missing. Raises `TransportUnusable`, also if one that is there differs."""
    compose_transport.require_broker(settings)
    return topics.create(settings, partitions)


def describe_topics(settings: TransportSettings) -> list[dict[str, Any]]:
    """Returns every topic of ours as it is on the cluster; a missing one has only its name. Raises `TransportUnusable`."""
    compose_transport.require_broker(settings)
    return [
        {
            "topic": name,
            "partitions": topic.partitions if topic else None,
            "replicas": topic.replicas if topic else None,
            "configs": dict(topic.configs) if topic else None,
        }
        for name, topic in topics.show(settings)
    ]


def recover_checkpoint(settings: TransportSettings, confirm: Callable[[Checkpoint], bool]) -> Checkpoint | None:
    """Derive the checkpoint from the newest records of the topic, and store it if `confirm` says so.

    Returns what was stored. Raises `EnvironmentUnusable`.
    """
    compose_transport.require_broker(settings)
    checkpoint, ends = checkpoints.derive(settings)
    if not confirm(checkpoint):
        return None
    try:
        checkpoints.store(settings, checkpoint, ends)
    except PublishFailed as error:
        raise EnvironmentUnusable(str(error)) from None
    return checkpoint
