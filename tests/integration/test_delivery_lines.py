"""What the log says of attempts that fail: true, and where to look, once."""

from __future__ import annotations

from pathlib import Path

import pytest
from structlog.testing import capture_logs

from consumer.scheduling.batch import Batching
from shared.words import BatchForm
from simulator.receiver import Receiver
from tests.contract.harness import event, events, publish
from tests.integration.workers import dead, ids, log_in, policy, running, until, worker
from tests.support import faults

AGAIN = "not delivered, will be tried again"


async def test_nothing_will_be_tried_again_in_front_of_a_dead_letter(tmp_path: Path, receiver: Receiver) -> None:
    receiver.script.add(faults.status(422))
    await publish(log_in(tmp_path), [event(0)])
    one = worker(receiver.url, how=policy(max_attempts=2))
    with capture_logs() as lines:
        async with running(one, log_in(tmp_path)):
            await until(lambda: one.counts.dead == 1)
    failed = [line for line in lines if line["event"].startswith("not delivered")]
    assert [line["event"] for line in failed] == [AGAIN, "not delivered, and no attempt is left"]
    assert ["retry_in" in line for line in failed] == [True, False]
    assert [[name for name in line if name != "logger_name"][:3] for line in failed] == [["outcome", "type", "log_id"]] * 2
    assert [(line["outcome"], line["type"], line["log_id"]) for line in failed] == [("answered 422", "s", event(0).log_id)] * 2
    assert len(await dead(tmp_path)) == 1


async def test_a_batch_that_is_taken_apart_is_not_tried_again_either(tmp_path: Path, receiver: Receiver) -> None:
    receiver.script.add(faults.status(422), when=lambda call: "+" in (call.webhook_id or ""))
    sent = events(0, 3)
    await publish(log_in(tmp_path), sent)
    batching = Batching(form=BatchForm.ARRAY, most=3, most_bytes=10_000, linger=0.2)
    one = worker(receiver.url, how=policy(max_attempts=1, batching=batching))
    with capture_logs() as lines:
        async with running(one, log_in(tmp_path)):
            await receiver.journal.wait_for(3, timeout=10)
    assert {line["event"] for line in lines if line["event"].startswith("not")} == {"not delivered, its events go one by one"}
    assert sorted(receiver.journal.delivered) == ids(sent)


async def test_where_to_look_is_said_once_and_anew_after_a_delivery(tmp_path: Path, receiver: Receiver) -> None:
    receiver.script.in_order(*[faults.status(404)] * 4, None, faults.status(404))
    await publish(log_in(tmp_path), [event(0, user="one"), event(1, user="one")])
    with capture_logs() as lines:
        async with running(worker(receiver.url), log_in(tmp_path)):
            await receiver.journal.wait_for(2, timeout=10)
    said = [line["event"] for line in lines if line["event"].startswith("not delivered") or "WEBHOOK_URL" in line["event"]]
    advice = "the webhook does not know this path: look at the path of WEBHOOK_URL"
    assert said == [AGAIN, advice, AGAIN, AGAIN, AGAIN, AGAIN, advice]


@pytest.mark.parametrize(
    ("fault", "outcome", "said", "level"),
    [
        (faults.status(204), "answered 204", "set WEBHOOK_SUCCESS_CODES=200,204", "warning"),
        (
            faults.status(302, headers=(("Location", "https://new.example/?key=hush"),)),
            "answered 302",
            "set WEBHOOK_URL",
            "warning",
        ),
        (faults.status(401), "answered 401", "look at AUTHORIZATION and WEBHOOK_SECRET", "error"),
    ],
    ids=["a 2xx that does not count", "a redirect", "credentials"],
)
async def test_a_failure_that_speaks_for_itself_says_what_to_look_at(
    tmp_path: Path, receiver: Receiver, fault: faults.HttpFault, outcome: str, said: str, level: str
) -> None:
    receiver.script.in_order(fault)
    await publish(log_in(tmp_path), [event(0)])
    with capture_logs() as lines:
        async with running(worker(receiver.url), log_in(tmp_path)):
            await receiver.journal.wait_for(1, timeout=10)
    [line] = [line for line in lines if said in line["event"]]
    assert (line["outcome"], line["log_level"]) == (outcome, level)
    assert line.get("location") == ("https://new.example/" if "302" in outcome else None)
    assert "hush" not in str(lines)
