"""What a scrape tells, held against what the receiver and the topic saw."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path

import pytest

from admin.health import not_ready, stuck
from admin.monitoring import Monitoring
from consumer.metrics import OUTCOMES, ConsumerMetrics
from consumer.scheduling.batch import Batching
from producer.metrics import ProducerMetrics
from shared.words import BatchForm
from simulator.journal import JournalEntry
from simulator.receiver import Receiver
from simulator.tenant import Tenant
from tests.contract.harness import event, publish
from tests.integration.pollers import APPLICATION, PollerSetup, entries, entry
from tests.integration.workers import dead, log_in, policy, running, until, worker
from tests.support import faults
from tests.support.scrape import Samples, ask, free_port, scrape

NASTY = (
    faults.status(204),
    faults.redirect("/elsewhere"),
    faults.status(404),
    faults.status(429, headers=(("Retry-After", "0"),)),
    faults.status(503),
    faults.status(999),
    faults.hang_before_headers(),
    faults.reset_before_headers(),
    faults.close(),
    faults.short_body(),
)


def _attempts(samples: Samples) -> dict[str, float]:
    return {outcome: samples[f'auth0_webhooks_attempts_total{{outcome="{outcome}"}}'] for outcome in OUTCOMES}


def _outcome(entry: JournalEntry) -> str:
    """As the receiver sees it."""
    match entry.status:
        case None:
            return "timeout" if entry.verdict == "hang before headers" else "cut"
        case 200 | 429:
            return str(entry.status)
        case status:
            return f"{min(status // 100, 5)}xx"


async def test_counters_agree_to_the_event_with_what_a_nasty_receiver_saw(tmp_path: Path, receiver: Receiver) -> None:
    receiver.script.sometimes(0.6, *NASTY)
    await publish(log_in(tmp_path), [event(number, user=f"auth0|{number % 40}") for number in range(120)])
    metrics = ConsumerMetrics()
    one = worker(receiver.url, how=policy(max_attempts=4, base=0.005, cap=0.02), timeout=2.5, observers=[metrics])
    monitoring, port = Monitoring([one], consumer=metrics, producer=None), free_port()
    async with running(one, log_in(tmp_path)), monitoring.serving("127.0.0.1", port):
        await until(lambda: one.counts.delivered + one.counts.dead == 120, within=60)
        samples = await scrape(port)
    seen = {(call.call.webhook_id, call.call.attempt): call for call in receiver.journal.all}
    outcomes = Counter(_outcome(call) for call in seen.values())
    assert _attempts(samples) == {outcome: outcomes[outcome] for outcome in OUTCOMES}
    assert min(outcomes[outcome] for outcome in ("200", "2xx", "3xx", "4xx", "429", "5xx", "timeout", "cut")) > 0
    delivered = {call.call.webhook_id for call in receiver.journal.all if call.status == 200}
    assert samples["auth0_webhooks_events_delivered_total"] == len(delivered)
    assert samples["auth0_webhooks_retries_total"] == len(seen) - 120
    assert samples["auth0_webhooks_dead_letters_total"] == len(await dead(tmp_path)) == 120 - len(delivered)
    assert samples["auth0_webhooks_webhook_seconds_count"] == len(seen)
    for stage in ("deliver", "total"):
        assert samples[f'auth0_webhooks_lag_seconds_count{{stage="{stage}"}}'] == len(delivered)
    for gauge in ("in_flight", "window_events", "waiting_retry_events", "breaker_open", "paused"):
        assert samples[f"auth0_webhooks_{gauge}"] == 0
    assert samples["auth0_webhooks_concurrency_share"] == 5


async def test_each_try_of_an_outage_has_a_number_of_its_own_and_counts_once(tmp_path: Path, receiver: Receiver) -> None:
    receiver.script.add(faults.status(503), times=12)
    await publish(log_in(tmp_path), [event(number, user=f"auth0|{number}") for number in range(3)])
    metrics = ConsumerMetrics()
    one = worker(receiver.url, breaker_failures=2, probe_interval=0.01, observers=[metrics])
    async with running(one, log_in(tmp_path)):
        await until(lambda: one.counts.delivered == 3, within=30)
    metrics.fold()
    tries = {(call.call.webhook_id, call.call.attempt) for call in receiver.journal.all}
    assert len(tries) == len(receiver.journal) == sum(metrics.attempts.values()) == 15
    assert metrics.retries == 12


async def test_a_batch_is_one_attempt_and_delivers_all_of_its_events(tmp_path: Path, receiver: Receiver) -> None:
    await publish(log_in(tmp_path), [event(number) for number in range(60)])
    metrics = ConsumerMetrics()
    batching = Batching(form=BatchForm.ARRAY, most=10, most_bytes=100_000, linger=0.05)
    one = worker(receiver.url, how=policy(batching=batching), observers=[metrics])
    monitoring, port = Monitoring([one], consumer=metrics, producer=None), free_port()
    async with running(one, log_in(tmp_path)), monitoring.serving("127.0.0.1", port):
        await until(lambda: one.counts.delivered == 60)
        samples = await scrape(port)
    assert _attempts(samples)["200"] == len(receiver.journal)
    assert samples["auth0_webhooks_events_delivered_total"] == 60
    assert samples['auth0_webhooks_lag_seconds_count{stage="deliver"}'] == 60


@pytest.mark.parametrize(
    ("url", "outcome"),
    [
        ("http://127.0.0.1:{closed}/", "connect"),
        ("http://no-such-host.invalid/", "connect"),
        ("https://127.0.0.1:{plain}/", "tls"),
        ("http://169.254.169.254/", "refused_address"),
    ],
)
async def test_attempts_that_never_reach_the_receiver_stand_under_what_kept_them(
    tmp_path: Path, receiver: Receiver, url: str, outcome: str
) -> None:
    await publish(log_in(tmp_path), [event(number) for number in range(3)])
    metrics = ConsumerMetrics()
    plain = receiver.url.rstrip("/").rpartition(":")[2]
    one = worker(url.format(closed=free_port(), plain=plain), how=policy(max_attempts=2), observers=[metrics])
    async with running(one, log_in(tmp_path)):
        await until(lambda: one.counts.dead == 3, within=30)
    assert {name: count for name, count in metrics.attempts.items() if count} == {outcome: 6}
    assert len(receiver.journal) == 0


async def test_the_producer_counts_what_it_fetched_filtered_published_and_asked_for(tmp_path: Path) -> None:
    log = entries(0, 50)
    tenant = Tenant(log, application=APPLICATION)
    await tenant.start()
    setup = PollerSetup(tenant, tmp_path / "log.db")
    metrics = ProducerMetrics(20)
    setup.restart(observers=[metrics])
    monitoring, port = Monitoring([setup.poller], consumer=None, producer=metrics), free_port()
    async with monitoring.serving("127.0.0.1", port), setup.publishing() as publisher:
        await setup.to_the_end(publisher)
        behind = await scrape(port)
        log.append(entry(50))
        log.append(entry(51, kind="sapi"))
        await setup.to_the_end(publisher)
        samples = await scrape(port)
    gaps = [value for name, value in behind.items() if name.startswith("auth0_webhooks_gaps_total")]
    assert gaps == [0, 0], "a rise from nothing is no rise"
    assert behind['auth0_webhooks_events_filtered_total{reason="below LOG_LEVEL"}'] == 0
    asked = len(tenant.requests)
    await setup.log.close()
    await tenant.stop()
    assert behind['auth0_webhooks_lag_seconds_count{stage="publish"}'] == 50
    assert behind['auth0_webhooks_lag_seconds_count{stage="poll"}'] == 0, "it caught up"
    assert samples['auth0_webhooks_lag_seconds_count{stage="poll"}'] == 1
    assert samples['auth0_webhooks_lag_seconds_count{stage="auth0"}'] == 1
    assert samples["auth0_webhooks_events_fetched_total"] == 52
    assert samples["auth0_webhooks_events_published_total"] == 51
    assert sum(value for name, value in samples.items() if name.startswith("auth0_webhooks_events_filtered_total")) == 1
    assert samples["auth0_webhooks_leader"] == 1
    assert samples["auth0_webhooks_checkpoint_age_seconds"] > 0
    assert samples['auth0_webhooks_auth0_requests_total{status="200"}'] == asked


async def test_readiness_waits_for_the_group_and_not_for_the_webhook(tmp_path: Path, receiver: Receiver) -> None:
    receiver.script.add(faults.status(500))
    await publish(log_in(tmp_path), [event(number) for number in range(5)])
    metrics = ConsumerMetrics()
    one = worker(receiver.url, breaker_failures=2, probe_interval=60, observers=[metrics])
    monitoring, port = Monitoring([one], consumer=metrics, producer=None), free_port()
    async with monitoring.serving("127.0.0.1", port):
        assert await ask(port, "/healthz") == (200, "ok\n")
        status, text = await ask(port, "/readyz")
        assert (status, text) == (503, "the consumer has no part in its group yet\n")
        async with running(one, log_in(tmp_path)):
            await until(lambda: one.state.breaker.value == "open")
            assert await ask(port, "/readyz") == (200, "ok\n")
            assert (await scrape(port))["auth0_webhooks_breaker_open"] == 1


async def test_a_loop_that_does_not_come_round_is_first_not_ready_and_then_not_alive(tmp_path: Path, receiver: Receiver) -> None:
    one = worker(receiver.url)
    async with running(one, log_in(tmp_path)):
        await until(lambda: one.joined)
    for seconds, expected in ((5, (0, 0)), (40, (0, 1)), (100, (1, 1))):
        one._polled = one._clock() - seconds
        assert (len(stuck([one])), len(not_ready([one]))) == expected


async def test_undelivered_events_are_told_for_the_partitions_that_are_owned(tmp_path: Path, receiver: Receiver) -> None:
    receiver.script.add(faults.hang_before_headers())
    await publish(log_in(tmp_path), [event(number) for number in range(7)])
    metrics, stop = ConsumerMetrics(), asyncio.Event()
    one = worker(receiver.url, timeout=60, observers=[metrics])
    monitoring, port = Monitoring([one], consumer=metrics, producer=None), free_port()
    transport = log_in(tmp_path)
    async with running(one, log_in(tmp_path)), monitoring.serving("127.0.0.1", port):
        await until(lambda: one.state.in_flight == 5)
        following = asyncio.create_task(monitoring.follow(transport, stop))
        async with asyncio.timeout(20):
            while (await scrape(port)).get('auth0_webhooks_undelivered_events{partition="0"}') != 7:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        samples = await scrape(port)
        assert samples["auth0_webhooks_in_flight"] == 5
        assert set(_attempts(samples).values()) == {0}, "a call counts when its outcome is known"
        stop.set()
        await following
    await transport.close()


async def test_a_call_that_is_cancelled_after_it_reached_the_receiver_counts_as_cut(tmp_path: Path, receiver: Receiver) -> None:
    receiver.script.add(faults.hang_before_headers())
    await publish(log_in(tmp_path), [event(number, user=f"auth0|{number}") for number in range(3)])
    metrics = ConsumerMetrics()
    one = worker(receiver.url, timeout=60, drain_timeout=0.2, observers=[metrics])
    async with running(one, log_in(tmp_path)):
        await receiver.journal.wait_until(lambda journal: len(journal) == 3, timeout=30)
    assert {name: count for name, count in metrics.attempts.items() if count} == {"cut": 3}
    assert sum(metrics.webhook_seconds.counts) == len(receiver.journal) == 3
