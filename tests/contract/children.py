"""Programs that the contract suite starts as processes of their own, to kill them in the middle of their work.

    publish FIRST LAST SIZE   publish events FIRST..LAST-1 in pages of SIZE, going on after the checkpoint
    consume JOURNAL           append the log id of each record to JOURNAL, then commit behind it

Both print a line for each step, so the test knows that the kill hit a process at work.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from admin import compose_transport
from shared.settings import Role, load
from shared.transport.port import Position
from tests.contract.harness import ContractListener, checkpoint_of, events


def _say(word: str) -> None:
    """Prints one page: the pipe holds 16, so a test that is slow to read finds this process at work and not at its end."""
    print(word.ljust(4095), flush=True)  # noqa: T201


async def publish(first: int, last: int, size: int) -> None:
    transport = compose_transport.transport(load(Role.LOG), concurrent_calls=1)
    publisher = await transport.publisher()
    checkpoint = await publisher.acquire()
    _say("acquired")
    following = first if checkpoint is None else int(checkpoint.log_id[3:]) + 1
    for start in range(following, last, size):
        page = events(start, min(start + size, last))
        await publisher.publish(page, checkpoint_of(page))
        await publisher.renew()
        _say("published")
    await publisher.close()


async def consume(journal: Path) -> None:
    transport = compose_transport.transport(load(Role.LOG), concurrent_calls=1)
    listener = ContractListener()
    member = await transport.member(listener)
    file = os.open(journal, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    while True:
        for batch in await member.poll(wait=0.1, limit=20, paused=()):
            for record in batch.records:
                os.write(file, dict(record.headers)["log-id"] + b"\n")
                listener.positions[batch.partition] = Position(record.offset + 1)
                await member.commit({batch.partition: listener.positions[batch.partition]})
                _say("committed")


def main() -> None:
    match sys.argv[1:]:
        case ["publish", first, last, size]:
            asyncio.run(publish(int(first), int(last), int(size)))
        case ["consume", path]:
            asyncio.run(consume(Path(path)))
