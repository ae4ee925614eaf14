"""Making a lost checkpoint anew, on Kafka."""

from __future__ import annotations

from collections.abc import Callable

from admin import compose
from shared.errors import EnvironmentUnusable, PublishFailed
from shared.settings import TransportSettings
from shared.transport.kafka.topics import checkpoints
from shared.transport.port import Checkpoint


def recover(settings: TransportSettings, confirm: Callable[[Checkpoint], bool]) -> Checkpoint | None:
    """Derive the checkpoint from the newest records of the topic, and store it if `confirm` says so. Blocks.

    Returns what was stored. Raises `EnvironmentUnusable`.
    """
    compose.require_broker(settings)
    checkpoint, ends = checkpoints.derive(settings)
    if not confirm(checkpoint):
        return None
    try:
        checkpoints.store(settings, checkpoint, ends)
    except PublishFailed as error:
        raise EnvironmentUnusable(str(error)) from None
    return checkpoint
