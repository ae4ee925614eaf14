"""One made-up event, posted as a delivery would be, and what is known of the response."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
from standardwebhooks import Webhook

from admin.actions.trigger import Triggered, call_of, made_up_event, trigger
from shared.log_types import table
from shared.settings import Role, Settings, load
from simulator import faults
from simulator.faults import HttpFault
from simulator.receiver import Receiver
from simulator.wire import HttpResponse
from tests.integration.webhook.certificates import Certificates
from tests.integration.webhook.proxy import Proxy, running
from tests.integration.webhook.servers import receiving
from tests.integration.webhook.test_faults import AT_ONCE, MALFORMED, SLOW

SECRET = base64.b64encode(b"s" * 24).decode()


def _settings(url: str, **environ: str) -> Settings:
    return load(Role.TRIGGER, {"WEBHOOK_URL": url, "WEBHOOK_TIMEOUT": "3", **environ}, None)


async def _trigger(url: str, **environ: str) -> Triggered:
    settings = _settings(url, **environ)
    return await trigger(call_of(made_up_event("fp"), settings), settings)


async def test_it_is_signed_and_has_the_headers_of_a_delivery(receiver: Receiver) -> None:
    settings = _settings(
        f"{receiver.url}/hook?a=b", WEBHOOK_SECRET=SECRET, AUTHORIZATION="Bearer x", WEBHOOK_HEADERS='{"X-Api-Key": "y"}'
    )
    event = made_up_event("limit_wc", user_id="auth0|me")
    triggered = await trigger(call_of(event, settings), settings)
    assert triggered.delivered
    (entry,) = receiver.journal.all
    headers = dict(entry.headers)
    assert (entry.call.method, entry.call.path, entry.body) == ("POST", "/hook", event)
    assert (entry.call.type, entry.call.user_id) == ("limit_wc", "auth0|me")
    assert Webhook(SECRET).verify(event, headers) == json.loads(event)
    assert headers["webhook-id"] == json.loads(event)["log_id"]
    wanted = {"authorization": "Bearer x", "x-api-key": "y", "webhook-attempt": "1", "content-type": "application/json"}
    assert headers.items() >= wanted.items()


async def test_without_a_secret_it_is_not_signed(receiver: Receiver) -> None:
    assert (await _trigger(receiver.url)).delivered
    assert "webhook-signature" not in dict(receiver.journal.all[0].headers)


@pytest.mark.parametrize(("form", "begin", "end"), [("true", b"[{", b"}]"), ("lines", b"{", b"}\n")])
async def test_where_events_go_in_batches_it_is_a_batch_of_one(receiver: Receiver, form: str, begin: bytes, end: bytes) -> None:
    assert (await _trigger(receiver.url, SEND_AS_BATCH=form)).delivered
    (entry,) = receiver.journal.all
    assert entry.body.startswith(begin)
    assert entry.body.endswith(end)
    assert str(entry.call.webhook_id).endswith("+1")


async def test_every_event_has_an_id_of_its_own(receiver: Receiver) -> None:
    for _ in range(3):
        await _trigger(receiver.url)
    assert len(set(receiver.journal.delivered)) == 3


async def test_the_response_is_shown_with_its_headers_and_body() -> None:
    response = HttpResponse(422, b'{"error": "no such user"}', (("X-Request-Id", "r1"),))
    async with receiving(response=response) as receiver:
        triggered = await _trigger(receiver.url)
    assert (triggered.attempt.status, triggered.delivered) == (422, False)
    assert dict(triggered.headers).items() >= {"X-Request-Id": "r1", "Content-Length": "25"}.items()
    assert (triggered.body, triggered.whole) == (response.body, True)


async def test_the_success_codes_of_the_settings_count(receiver: Receiver) -> None:
    receiver.script.add(faults.status(202))
    assert (await _trigger(receiver.url, WEBHOOK_SUCCESS_CODES="202")).delivered
    refused = await _trigger(receiver.url)
    assert not refused.delivered
    assert refused.advice == "202 does not count as delivered: if it should, set WEBHOOK_SUCCESS_CODES=200,202"


async def test_client_certificate_and_authority_of_the_settings_are_used(tmp_path: Path) -> None:
    certificates = Certificates()
    authority = certificates._trusted
    (tmp_path / "ca.pem").write_bytes(authority.cert_pem.bytes())
    (tmp_path / "client.pem").write_bytes(authority.issue_cert("me@clients.test").private_key_and_cert_chain_pem.bytes())
    async with receiving(tls=certificates.strict_server()) as receiver:
        ca, client = str(tmp_path / "ca.pem"), str(tmp_path / "client.pem")
        assert (await _trigger(receiver.url, WEBHOOK_CA_FILE=ca, WEBHOOK_CLIENT_CERT=client)).delivered
        assert (await _trigger(receiver.url, WEBHOOK_CA_FILE=ca)).attempt.status is None
        unknown = await _trigger(receiver.url)
    assert unknown.attempt.problem.startswith("its certificate is not accepted")
    assert "WEBHOOK_CA_FILE" in unknown.advice


async def test_the_proxy_of_the_settings_is_used(receiver: Receiver) -> None:
    async with running(Proxy()) as proxy:
        assert (await _trigger(receiver.url, WEBHOOK_PROXY=f"http://me:you@{proxy.address}")).delivered
    (head,) = proxy.heads
    assert head.startswith(f"POST {receiver.url}/ HTTP/1.1")
    assert "Proxy-Authorization: Basic " in head


async def test_where_nothing_listens_it_is_said_where_to_look() -> None:
    triggered = await _trigger("http://127.0.0.1:9/")
    assert (triggered.attempt.status, triggered.attempt.problem) == (None, "no connection: Connection refused")
    assert "nothing listens there" in triggered.advice
    assert not triggered.delivered


@pytest.mark.parametrize("fault", [*AT_ONCE, *MALFORMED, *SLOW], ids=lambda fault: fault.name)
async def test_whatever_the_webhook_responds_there_is_an_outcome_and_a_bounded_body(receiver: Receiver, fault: HttpFault) -> None:
    receiver.script.add(fault)
    triggered = await _trigger(receiver.url, WEBHOOK_TIMEOUT="0.5", WEBHOOK_CONNECT_TIMEOUT="0.5")
    assert triggered.delivered == (triggered.attempt.status == 200)
    assert len(triggered.body) <= 64 * 1024
    assert bool(triggered.attempt.problem) == (triggered.attempt.status is None)
    if triggered.attempt.status is None:
        assert not triggered.whole


def test_there_is_a_call_for_every_type() -> None:
    settings = _settings("http://localhost/")
    for code in table():
        call = call_of(made_up_event(code, user_id="auth0|me"), settings)
        assert json.loads(call.body)["type"] == code
        assert call.log_id.isdigit()
