"""The control table in Kafka: what only a topic can do to it, and what looking costs."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

import pytest

from admin.replica import ReplicaReporter
from shared.documents.replica import ReplicaDocument, ReplicaRole, replicas
from shared.errors import TransportUnusable
from shared.settings import TransportSettings
from shared.transport.kafka.client.clients import administrator
from shared.transport.kafka.topics import checkpoints, table
from shared.transport.kafka.topics.topics import create
from shared.transport.kafka.transport import KafkaTransport
from tests.integration.kafka_operator.fixtures import clean_at_once, control_of, delete, stored, write
from tests.support.kafka.broker import Broker
from tests.support.kafka.fixtures import Names


async def test_a_look_reads_what_is_new_only(settings: TransportSettings) -> None:
    async with control_of(settings) as control:
        write(settings, settings.control_topic, *((b"k%d" % (number % 10), b"%d" % number) for number in range(1000)))
        assert await control.snapshot() == {f"k{number}": b"%d" % (990 + number) for number in range(10)}
        before = time.process_time()
        for _ in range(20):
            assert len(await control.snapshot()) == 10
        assert (time.process_time() - before) / 20 < 0.01, "it costs about 1.7 ms"


async def test_compaction_under_an_open_table_changes_nothing_that_is_seen(its_settings: TransportSettings) -> None:
    topic = its_settings.control_topic
    clean_at_once(its_settings, topic)
    async with control_of(its_settings) as reader, control_of(its_settings) as other:
        assert await reader.snapshot() == {}
        write(its_settings, topic, *((b"k%d" % (number % 4), b"%d" % number) for number in range(100)))
        await other.delete("k0")
        assert await reader.snapshot() == (expected := {"k1": b"97", "k2": b"98", "k3": b"99"})

        async with asyncio.timeout(20):
            while any(key == b"k0" for _, key, _ in stored(its_settings, topic)):
                await other.put("tick", b"")  # a segment is closed only when something is written after its time
        assert await reader.snapshot() == {**expected, "tick": b""}
        async with control_of(its_settings) as fresh:
            assert await fresh.snapshot() == {**expected, "tick": b""}


async def test_what_is_compacted_during_a_scan_is_read_where_it_is_newer(
    its_settings: TransportSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    topic = its_settings.control_topic
    clean_at_once(its_settings, topic)
    monkeypatch.setattr(table, "_STRETCH", 0)
    async with control_of(its_settings) as reader, control_of(its_settings) as other:
        for key in ("a", "b", "c", "d"):
            await other.put(key, b"1")
        rows = reader.scan()
        found = [await anext(rows)]
        await other.put("c", b"2")
        await other.delete("d")
        async with asyncio.timeout(20):
            while any(place[1:] == (b"c", b"1") for place in stored(its_settings, topic)):
                await other.put("tick", b"")
        found += [row async for row in rows]
        assert [(row.key, row.document) for row in found] == [("a", b"1"), ("b", b"1"), ("c", b"2")]


async def test_a_topic_that_was_made_anew_between_two_looks_is_read_anew(settings: TransportSettings) -> None:
    async with control_of(settings) as control:
        write(settings, settings.control_topic, (b"a", b"1"), (b"b", b"2"))
        assert await control.snapshot() == {"a": b"1", "b": b"2"}
        delete(settings, settings.control_topic)
        create(settings)
        write(settings, settings.control_topic, (b"c", b"3"))
        assert await control.snapshot() == {"c": b"3"}


async def test_what_others_wrote_with_a_strange_key_does_no_harm(settings: TransportSettings) -> None:
    write(settings, settings.control_topic, (b"\xff", b"1"))
    async with control_of(settings) as control:
        assert await control.snapshot() == {"\\xff": b"1"}


async def test_without_its_topic_the_table_does_not_open_and_the_command_is_named(kafka: Broker, names: Names) -> None:
    settings = TransportSettings(bootstrap_servers=(kafka.bootstrap,), topic=names.topic)
    with pytest.raises(TransportUnusable, match=f"missing .* topic {settings.control_topic}; run `auth0-webhooks topics create`"):
        async with control_of(settings):
            pass


async def test_without_topics_the_checkpoint_is_not_looked_for_and_the_command_is_named(kafka: Broker, names: Names) -> None:
    settings = TransportSettings(bootstrap_servers=(kafka.bootstrap,), topic=names.topic)
    with pytest.raises(TransportUnusable, match=r"missing .* run `auth0-webhooks topics create`"):
        await KafkaTransport(settings).checkpoint()
    with pytest.raises(TransportUnusable, match=r"missing .* run `auth0-webhooks topics create`"):
        checkpoints.derive(settings)


async def test_ten_thousand_documents_of_replicas_stay_a_small_topic_that_no_group_reads(its_settings: TransportSettings) -> None:
    topic, replica = its_settings.control_topic, _replica()
    documents = [replace(replica, id=f"host:{number % 4}", seen=1e9 + number) for number in range(10_000)]
    clean_at_once(its_settings, topic)
    groups = _groups(its_settings)
    async with control_of(its_settings) as control:
        write(its_settings, topic, *((one.key.encode(), one.encode()) for one in documents))
        expected = {one.id: one for one in documents[-4:]}
        assert replicas(await control.snapshot()) == expected
        async with asyncio.timeout(60):
            while len(stored(its_settings, topic)) > 500:
                await control.put("tick", b"")  # a segment is closed only when something is written after its time
                await asyncio.sleep(0.3)
        assert replicas(await control.snapshot()) == expected
    async with control_of(its_settings) as fresh:
        assert replicas(await fresh.snapshot()) == expected
    assert _groups(its_settings) == groups, "reading costs no consumer group"


def _replica() -> ReplicaDocument:
    reporter = ReplicaReporter((), role=ReplicaRole.CONSUME, version="1", tenant="", webhook="https://example.com")
    return replace(reporter.document(), counts={f"count_{number}": 10**9 for number in range(30)})


def _groups(settings: TransportSettings) -> set[str]:
    with administrator(settings) as admin:
        return {group["group_id"] for group in admin.list_groups()}
