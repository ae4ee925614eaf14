"""What is delivered twice, and what is not, on both transports."""

from __future__ import annotations

from random import Random

from shared.words import Ordering
from simulator.journal import ReceivedCall
from simulator.receiver import Receiver
from tests.contract.harness import event, publish
from tests.integration.workers import policy, running, until, worker
from tests.support import faults
from tests.support.transports import Log


async def test_an_orderly_restart_repeats_nothing_however_much_is_open(log: Log, receiver: Receiver) -> None:
    """Half of the events are refused, without a pattern: 3,000 open ones do not fit into a commit of Kafka."""
    sent = [event(number, user="one") for number in range(6_000)]
    refused = {one.log_id for one in Random(1).sample(sent, 3_000)}
    await publish(log.transport(), *(sent[start : start + 1_000] for start in range(0, len(sent), 1_000)))

    def is_refused(call: ReceivedCall) -> bool:
        return call.log_id in refused

    receiver.script.add(faults.status(500), when=is_refused)
    patient = policy(ordering=Ordering.NONE, base=60, cap=60)
    one = worker(receiver.url, how=patient, window=20_000, breaker_failures=1_000_000)
    async with running(one, log.transport()):
        owned = one._window.owned
        await until(lambda: len(receiver.journal.delivered) == 3_000 or any(each.parked for each in owned.values()), within=60)
    receiver.script.clear()
    async with running(worker(receiver.url, how=patient, window=20_000), log.transport()):
        await until(lambda: len(receiver.journal.delivered) == 6_000, within=60)
    assert receiver.journal.duplicates == ()
