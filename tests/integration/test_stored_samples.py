"""What the release of November 2026 left in a file and in topics is read as before: no event is lost, and none is sent twice.

`tests/data/stored` holds both as that release left them, after a poller and a consumer of its own had worked on thirteen events:

- 1 and 2 were refused and became dead letters; an operator sent 2 again, and it was delivered then;
- 4 was never answered, so it is open, and so are 7 and 10, which wait behind it; all others were delivered;
- the operator kim asked to skip 4, and the consumer stopped before it could; a request of an older release is there too;
- 12 is in the topic, but the checkpoint names 11: the poller was killed in the middle of a page (on Kafka only).

Bytes stand as Latin-1 in the topics' JSON lines. Timestamps are not written again: brokers refuse those too far from their clock.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.structs import OffsetAndMetadata

from admin.actions.dead_letters import Choice, chosen
from shared.commit_metadata import decode
from shared.transport.port import Position
from simulator.receiver import Receiver
from tests.contract.harness import ContractListener, checkpoint_of, event, joined, log_ids, read
from tests.integration.workers import running, until, worker
from tests.support import faults
from tests.support.transports import Log, make

STORED: Final = Path(__file__).parents[1] / "data" / "stored"
EVENTS: Final = [event(number, user=f"auth0|{number % 3}") for number in range(14)]
ONE, TWO, FOUR, SEVEN, TEN, TWELVE = (EVENTS[number].log_id for number in (1, 2, 4, 7, 10, 12))
REQUEST: Final = "0f" * 16
OLDER_REQUEST: Final = b'{"v": 1, "by": "kim", "reason": "an older command"}'


@pytest.fixture(params=["sqlite", "kafka"])
def log(request: pytest.FixtureRequest) -> Log:
    log = make(request.param, request)
    if request.param == "sqlite":
        _restore_file(log.environ["SQLITE_PATH"])
    else:
        _restore_topics(log.environ, map(json.loads, (STORED / "topics.jsonl").read_text().splitlines()))
    return log


async def test_checkpoint_positions_and_what_was_done_beyond_them(log: Log) -> None:
    transport = log.transport()
    positions = {number: found.committed for number, found in (await transport.progress()).items() if found.committed}
    assert await transport.checkpoint() == checkpoint_of(EVENTS[11:12])
    if log.second_poller_waits:
        assert positions == {0: Position(3, "1;1,2*2;bf4dd3fc"), 1: Position(6)}
        assert _open(3, "1;1,2*2;bf4dd3fc") == [3, 4, 6]
    else:
        assert positions == {0: Position(5, "1;3*3;4477ba84")}
        assert _open(5, "1;3*3;4477ba84") == [5, 8, 11]
    await transport.close()


async def test_records(log: Log) -> None:
    """From the committed positions on: what was delivered beyond them comes too, the ledger knows it."""
    async with joined(log, ContractListener()) as member:
        records = await read(member, 5 if log.second_poller_waits else 9)
    assert {FOUR, SEVEN, TEN} <= set(log_ids(records))
    by_id = {dict(record.headers)["log-id"].decode(): record for _, record in records}
    assert (by_id[SEVEN].key, by_id[SEVEN].value) == (b"auth0|1", EVENTS[7].raw)
    assert dict(by_id[SEVEN].headers) == {
        "v": b"1",
        "log-id": SEVEN.encode(),
        "type": b"s",
        "date": EVENTS[7].date.encode(),
        "tenant": b"",
    }


async def test_documents(log: Log) -> None:
    transport = log.transport()
    (dead,) = (await chosen(transport, Choice())).dead_letters
    assert (dead.log_id, dead.attempts, dead.status, dead.reason) == (ONE, 1, 400, "1 attempts failed")
    assert (dead.record.key, dead.record.value) == (b"auth0|1", EVENTS[1].raw)
    control = await transport.control()
    documents = dict(await control.snapshot())
    assert {row.key: row.document async for row in control.scan()} == documents
    assert documents.pop("skip/900") == OLDER_REQUEST
    (answer,) = (key for key in documents if key.startswith(f"skip-answer/{REQUEST}/"))
    assert json.loads(documents.pop(answer))["word"] == "left"
    assert set(documents) == {f"skip/{REQUEST}"}
    await control.close()
    await transport.close()


async def test_all_goes_on_where_it_stopped(log: Log, receiver: Receiver) -> None:
    transport = log.transport()
    (dead,) = (await chosen(transport, Choice())).dead_letters
    assert await transport.retry_dead_letter(dead)
    receiver.script.add(faults.status(500), when=lambda call: call.log_id == FOUR)
    async with running(worker(receiver.url), log.transport()):
        await until(lambda: set(receiver.journal.delivered) >= {ONE, SEVEN, TEN}, within=30)
    assert sorted(receiver.journal.delivered) == [ONE, SEVEN, TEN]
    (skipped,) = (await chosen(transport, Choice())).dead_letters
    assert (skipped.log_id, skipped.reason) == (FOUR, "skipped by kim: it blocks")

    publisher = await transport.publisher()
    assert await publisher.acquire() == checkpoint_of(EVENTS[11:12])
    assert await publisher.publish(EVENTS[12:14], checkpoint_of(EVENTS[12:14])) == (1 if log.second_poller_waits else 2)
    await publisher.close()
    await transport.close()
    assert list(log.dump().values()).count(TWELVE) == 1


def _open(position: int, metadata: str) -> list[int]:
    found = decode(position, metadata)
    assert found is not None
    return list(found.open)


def _restore_file(path: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript((STORED / "log-of-schema-2.sql").read_text())


def _restore_topics(environ: Mapping[str, str], lines: Iterable[dict[str, Any]]) -> None:
    topic, servers = environ["KAFKA_TOPIC"], environ["KAFKA_BOOTSTRAP_SERVERS"]
    committed = {}
    with closing(KafkaProducer(bootstrap_servers=servers)) as producer:
        for line in lines:
            if "committed" in line:
                committed[TopicPartition(topic, line["committed"])] = OffsetAndMetadata(line["offset"], line["metadata"], -1)
                continue
            headers = [(name, value.encode("latin-1")) for name, value in line["headers"]]
            key, value = (None if line[name] is None else line[name].encode("latin-1") for name in ("key", "value"))
            producer.send(topic + line["topic"], value, key, headers, line["partition"]).get(10)
    with closing(KafkaConsumer(bootstrap_servers=servers, group_id=environ["KAFKA_GROUP"], enable_auto_commit=False)) as consumer:
        consumer.assign(list(committed))
        consumer.commit(committed)
