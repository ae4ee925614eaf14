"""What one process serves to those who watch it: its numbers, whether it is alive, whether it is ready."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from http import HTTPStatus
from typing import Final

from admin.actions.looking.status_view import partitions
from admin.health import not_ready, stuck
from admin.metrics import CONTENT_TYPE, LoopMetrics
from admin.metrics_server import ServedPage, serving, text_page
from consumer.metrics import ConsumerMetrics
from consumer.worker import Worker
from producer.metrics import ProducerMetrics
from producer.poller import Poller
from rules.metrics import RulesMetrics
from shared.errors import TransportUnusable
from shared.transport.port import Transport
from shared.waiting import stopped_within

_LOOK_EVERY: Final = 10.0  # seconds; asks the log, as no scrape and no probe does


class Monitoring:
    """`consumer` and `producer` observe the loops, `rules` the rules; None: there are none."""

    def __init__(
        self,
        loops: Sequence[Poller | Worker],
        *,
        consumer: ConsumerMetrics | None,
        producer: ProducerMetrics | None,
        rules: RulesMetrics | None = None,
    ) -> None:
        self._loops = loops
        self._metrics = LoopMetrics(loops, consumer=consumer, producer=producer, rules=rules)

    def serving(self, host: str, port: int) -> AbstractAsyncContextManager[None]:
        """Raises `EnvironmentUnusable` if it cannot listen there."""
        return serving({b"/metrics": self._text, b"/healthz": self._alive, b"/readyz": self._ready}, host, port)

    async def follow(self, transport: Transport, stop: asyncio.Event) -> None:
        """Looks, until `stop`, how much is not delivered in the partitions that this process owns."""
        worker = next((loop for loop in self._loops if isinstance(loop, Worker)), None)
        while worker is not None and not stop.is_set():
            try:
                rows = await partitions(transport)
            except TransportUnusable:
                self._metrics.undelivered = {}  # not known; the loops' own lines say why
            else:
                self._metrics.undelivered = {row.partition: row.undelivered for row in rows if row.partition in worker.owned}
            await stopped_within(stop, _LOOK_EVERY)

    def _text(self) -> ServedPage:
        return ServedPage(HTTPStatus.OK, CONTENT_TYPE, self._metrics.text())

    def _alive(self) -> ServedPage:
        return _verdict(stuck(self._loops))

    def _ready(self) -> ServedPage:
        return _verdict(not_ready(self._loops))


def _verdict(reasons: Sequence[str]) -> ServedPage:
    return text_page(HTTPStatus.SERVICE_UNAVAILABLE if reasons else HTTPStatus.OK, "\n".join(reasons) or "ok")
