"""The compose file in real containers: five consumers, one of them killed, and the producer killed; then everything is counted.

`make test-stack` runs it; it takes about two minutes.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from shared.event import Event, slice_page
from simulator.journal import Journal, JournalEntry
from simulator.open_calls import OpenCalls
from tests.stack.compose import BASE, IMAGE, CommandFailed, ComposeStack, build, docker, require_engine, stack
from tests.support.journal import read_journal
from tests.support.scrape import samples_of

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]

EVENTS: Final = 1000  # as in observed.yml
WINDOW: Final = 50
LIMIT: Final = 5
AUTH0_SECRET: Final = "sim-secret"  # the only one that the simulated tenant accepts
WEBHOOK_SECRET: Final = "Bearer canary-of-the-webhook"
SETTINGS: Final = {
    "AUTH0_DOMAIN": "http://demo-tenant:8090",
    "AUTH0_CLIENT_ID": "sim-client",
    "AUTH0_CLIENT_SECRET": AUTH0_SECRET,
    "POLL_INTERVAL": "0.5",
    "WEBHOOK_URL": "http://demo-receiver:8080/hook",
    "AUTHORIZATION": WEBHOOK_SECRET,
    "WEBHOOK_CONCURRENT_CALLS": str(LIMIT),
    "WEBHOOK_BACKOFF_CAP": "1",
    "WINDOW": str(WINDOW),
    "COMMIT_INTERVAL": "0.5",
    "KAFKA_SESSION_TIMEOUT": "6",
}
TOKEN_REQUEST: Final = {
    "grant_type": "client_credentials",
    "client_id": SETTINGS["AUTH0_CLIENT_ID"],
    "client_secret": AUTH0_SECRET,
    "audience": "http://demo-tenant:8090/api/v2/",
}
#: Not published unless LOG_TYPES names them.
QUIET_TYPES: Final = {"sapi", "fapi", "mgmt_api_read"}
FIVE_SHARES: Final = '"shares": [1, 1, 1, 1, 1]'
READ_TOPIC: Final = """
import json, kafka
reader = kafka.KafkaConsumer(bootstrap_servers="kafka:9092")
partitions = [kafka.TopicPartition("auth0.logs", number) for number in reader.partitions_for_topic("auth0.logs")]
reader.assign(partitions)
reader.seek_to_beginning()
ends, ids = reader.end_offsets(partitions), []
while any(reader.position(partition) < ends[partition] for partition in partitions):
    ids += [dict(r.headers)["log-id"].decode() for batch in reader.poll(200).values() for r in batch]
print(json.dumps(ids))
"""


@dataclass(frozen=True, slots=True)
class Story:
    """What was observed when every event had been delivered."""

    events: Sequence[Event]
    #: The log ids in the topic, in its order.
    topic: Sequence[str]
    deliveries: Sequence[JournalEntry]
    #: How many events had been delivered when consumer and producer were killed.
    delivered_at_the_kill: int
    #: How many calls had arrived a second after `pause` returned, and three seconds later.
    paused: tuple[int, int]
    #: By service, status and body of each page that one of its containers serves, by path.
    pages: dict[str, dict[str, tuple[int, str]]]
    #: By service, what the engine reports of each container; the killed consumer's among them.
    containers: dict[str, list[dict[str, Any]]]


@pytest.fixture(scope="module")
def image() -> str:
    require_engine()
    build()
    return IMAGE


@pytest.fixture(scope="module")
def story(image: str, tmp_path_factory: pytest.TempPathFactory) -> Story:
    folder = tmp_path_factory.mktemp("stack")
    with stack(f"stack-{uuid.uuid4().hex[:8]}", "docker-compose.yml", "tests/stack/observed.yml", **SETTINGS) as running:
        running("up", "--detach")
        running.until(lambda: len(delivered(running, folder)) > 100, within=60, what="the first events")
        running("up", "--detach", "--no-recreate", "--scale", "consumer=5")
        running.until(lambda: FIVE_SHARES in running("logs", "consumer"), within=30, what="five consumers with a call each")
        paused = pause_and_resume(running, folder)
        docker("kill", "--signal", "KILL", running.containers("consumer")[0])
        kill_the_program(running, "producer")
        at_the_kill = len(delivered(running, folder))
        events = [event for event in log_of_the_tenant(running) if event.type not in QUIET_TYPES]
        running.until(lambda: len(delivered(running, folder)) >= len(events), within=90, what="every event")
        running.until(lambda: healthy(running), within=40, what="healthy containers")
        return Story(
            events=events,
            topic=json.loads(running("exec", "-T", "producer", "python", "-c", READ_TOPIC)),
            deliveries=journal(running, folder),
            delivered_at_the_kill=at_the_kill,
            paused=paused,
            pages={service: pages(running, service) for service in ("producer", "consumer")},
            containers={service: running.inspect(service) for service in ("topics", "producer", "consumer")},
        )


def test_every_event_of_the_tenant_is_delivered_byte_for_byte_and_nothing_else(story: Story) -> None:
    got = {delivery.call.log_id: delivery.call.sha256 for delivery in story.deliveries if delivery.delivered}
    assert got == {event.log_id: digest(event.raw) for event in story.events}


def test_each_log_id_is_in_the_topic_once(story: Story) -> None:
    assert sorted(story.topic) == sorted(event.log_id for event in story.events)


def test_the_killed_consumer_s_window_bounds_the_duplicates(story: Story) -> None:
    assert 0 < story.delivered_at_the_kill < len(story.events)
    assert sum(delivery.duplicate for delivery in story.deliveries) <= WINDOW


def test_each_user_s_events_arrive_in_their_order(story: Story) -> None:
    again = Journal()
    for call, answered_ns, verdict, status, whole, *_ in story.deliveries:
        again.append(call, answered_ns=answered_ns, verdict=verdict, status=status, whole=whole)
    assert again.disorder() == []


def test_never_more_calls_are_open_than_allowed(story: Story) -> None:
    calls = OpenCalls()
    for delivery in story.deliveries:
        begun = calls.begin(delivery.call.arrived_ns)
        calls.end(begun, delivery.answered_ns, given_up=delivery.verdict == "gone")
    assert calls.peak() == LIMIT


def test_a_producer_that_crashed_is_started_again(story: Story) -> None:
    (producer,) = story.containers["producer"]
    assert producer["RestartCount"] == 1
    assert producer["State"]["Running"]


def test_containers_run_without_root_without_rights_and_on_a_root_that_is_read_only(story: Story) -> None:
    for container in (container for service in story.containers.values() for container in service):
        assert container["Config"]["User"] == "10001:10001"
        assert container["HostConfig"]["ReadonlyRootfs"]
        assert container["HostConfig"]["CapDrop"] == ["ALL"]
        assert "no-new-privileges:true" in container["HostConfig"]["SecurityOpt"]


def test_each_secret_is_in_the_environment_of_its_role_alone(story: Story) -> None:
    environs = {service: json.dumps([each["Config"]["Env"] for each in found]) for service, found in story.containers.items()}
    assert [service for service, environ in environs.items() if AUTH0_SECRET in environ] == ["producer"]
    assert [service for service, environ in environs.items() if WEBHOOK_SECRET in environ] == ["consumer"]


def test_the_image_adds_at_most_100_mb_to_its_base(image: str) -> None:
    sizes = [int(docker("image", "inspect", "--format", "{{.Size}}", name)) for name in (image, BASE)]
    assert 0 < sizes[0] - sizes[1] <= 100_000_000


@pytest.mark.parametrize(("age", "verdict"), [("2 seconds ago", "healthy"), ("31 seconds ago", "unhealthy")])
def test_without_a_metrics_port_health_is_the_age_of_the_health_file(image: str, age: str, verdict: str) -> None:
    *_, check = json.loads(docker("image", "inspect", "--format", "{{json .Config.Healthcheck.Test}}", image))
    script = f'touch -d "{age}" "$HEALTH_FILE"; bash -c "$0" && echo healthy || echo unhealthy'
    command = ("run", "--rm", "--env", "METRICS_PORT=", "--entrypoint", "sh", image, "-c", script, check)
    assert docker(*command).strip() == verdict


def test_no_call_begins_while_it_is_paused(story: Story) -> None:
    before, after = story.paused
    assert before == after > 0
    assert before < len(story.deliveries)


def test_each_container_serves_metrics_health_and_readiness(story: Story) -> None:
    for service in ("producer", "consumer"):
        assert story.pages[service]["/healthz"] == story.pages[service]["/readyz"] == (200, "ok\n")
    delivered = {call.call.log_id for call in story.deliveries if call.delivered}
    samples = samples_of(story.pages["consumer"]["/metrics"][1])
    assert 0 < samples["auth0_webhooks_events_delivered_total"] <= len(delivered)
    assert samples_of(story.pages["producer"]["/metrics"][1])["auth0_webhooks_leader"] == 1


def test_the_demo_works_without_any_setting_and_keeps_to_topics_of_its_own(image: str) -> None:
    with stack(f"demo-{uuid.uuid4().hex[:8]}", "docker-compose.yml") as running:
        running("up", "--detach")
        running.until(lambda: running("logs", "--no-log-prefix", "demo-receiver").count("\n200 ") > 50, within=60, what="events")
        topics = running("exec", "-T", "kafka", "ls", "/var/lib/kafka/data")
        assert "demo.logs-0" in topics
        assert "auth0.logs-0" not in topics


@pytest.mark.parametrize(("role", "name"), [("producer", "AUTH0_DOMAIN"), ("consumer", "WEBHOOK_URL")])
def test_without_settings_and_without_the_demo_each_role_says_what_is_missing(image: str, role: str, name: str) -> None:
    with (
        stack(f"bare-{uuid.uuid4().hex[:8]}", "docker-compose.yml") as running,
        pytest.raises(CommandFailed, match=f"{name} is not set"),
    ):
        running("run", "--rm", "--no-deps", "-T", role)


def delivered(running: ComposeStack, folder: Path) -> set[str]:
    return {delivery.call.log_id for delivery in journal(running, folder) if delivery.delivered}


def journal(running: ComposeStack, folder: Path) -> list[JournalEntry]:
    file = folder / "journal.jsonl"
    file.write_text(running("exec", "-T", "demo-receiver", "sh", "-c", "touch /tmp/journal.jsonl && cat /tmp/journal.jsonl"))
    return read_journal(file)


def pause_and_resume(running: ComposeStack, folder: Path) -> tuple[int, int]:
    running("exec", "-T", "producer", "auth0-webhooks", "pause", "--reason", "migration", "--by", "ada", "--yes")
    counts = []
    for seconds in (1, 3):
        time.sleep(seconds)
        counts.append(len(journal(running, folder)))
    running("exec", "-T", "producer", "auth0-webhooks", "resume", "--by", "ada", "--yes")
    return counts[0], counts[1]


def pages(running: ComposeStack, service: str) -> dict[str, tuple[int, str]]:
    """Returns status and body of what one container of the service serves, asked from inside."""
    found = {}
    for path in ("/healthz", "/readyz", "/metrics"):
        ask = f"u.urlopen('http://127.0.0.1:9464{path}')"
        code = f"import urllib.request as u; r = {ask}; print(r.status, r.read().decode(), end='')"
        status, _, body = running("exec", "-T", service, "python", "-c", code).partition(" ")
        found[path] = int(status), body
    return found


def digest(body: bytes) -> str:
    return sha256(body).hexdigest()


def kill_the_program(running: ComposeStack, service: str) -> None:
    """Kills it from inside, like a crash: the engine does not restart what `docker kill` killed. The exec dies with it."""
    with suppress(CommandFailed):
        running("exec", "-T", service, "sh", "-c", "kill -KILL -1")


def healthy(running: ComposeStack) -> bool:
    found = [container for service in ("producer", "consumer") for container in running.inspect(service)]
    return {each["State"]["Health"]["Status"] for each in found if each["State"]["Running"]} == {"healthy"}


def log_of_the_tenant(running: ComposeStack) -> list[Event]:
    """Returns the whole log, once it has reached its limit, from the oldest entry on, paged as Auth0's documentation does it."""
    with httpx.Client(base_url=f"http://{running('port', 'demo-tenant', '8090').strip()}", trust_env=False) as client:
        token = client.post("/oauth/token", json=TOKEN_REQUEST).json()["access_token"]
        client.headers["Authorization"] = f"Bearer {token}"
        first = min(page(client, {"sort": "date:1", "per_page": "100"}), key=lambda event: event.log_id)
        events = [first]
        while len(events) < EVENTS:
            events += page(client, {"from": events[-1].log_id, "take": "100"})
            time.sleep(0.1)
    return events


def page(client: httpx.Client, parameters: dict[str, str]) -> list[Event]:
    return slice_page(client.get("/api/v2/logs", params=parameters).raise_for_status().content)
