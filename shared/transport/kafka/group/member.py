"""The port's member on Kafka: hands everything to the client thread that owns the client.

Commits have a thread of their own, which only waits: a poll may take a tenth of a second, and what is done meanwhile would be
repeated after a crash. The commit itself is made on the client's I/O thread, as the one in the rebalance listener is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress

from shared.errors import TransportUnusable
from shared.transport.kafka.client.thread import ClientThread
from shared.transport.kafka.group.group_member import GroupMember
from shared.transport.port import Member, PartitionRecords, Position


class KafkaMember(Member):
    def __init__(self, member: GroupMember, thread: ClientThread) -> None:
        self._member = member
        self._thread = thread
        self._commits = ClientThread("kafka-commits")
        self._polling: asyncio.Future[Sequence[PartitionRecords]] | None = None
        self._closed = False

    @property
    def session(self) -> float:
        # Shrinks while the group is silent: a poll succeeds in an outage too, and brings nothing.
        return self._member.sure_for

    async def poll(self, *, wait: float, limit: int, paused: Collection[int]) -> Sequence[PartitionRecords]:
        # A poll that was cancelled goes on in the thread, and its records come from nowhere else: the next one takes it up.
        if self._polling is None:
            self._polling = asyncio.ensure_future(self._thread.run(self._member.poll, wait, limit, frozenset(paused)))
        try:
            batches = await asyncio.shield(self._polling)
        except Exception:
            self._polling = None
            raise
        self._polling = None
        return batches

    async def commit(self, positions: Mapping[int, Position]) -> bool:
        return await self._commits.run(self._member.commit, dict(positions), self._member.heard)

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        if self._polling is not None:
            with suppress(TransportUnusable):
                await self._polling
        try:
            await self._thread.run(self._member.close)
        finally:
            self._thread.stop()
            self._commits.stop()
