"""Users of the tenant, as Auth0's own Python client and plain HTTP see them."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from auth0.management.client import Auth0
from auth0.management.errors.forbidden_error import ForbiddenError
from auth0.management.errors.not_found_error import NotFoundError

from simulator.rate_limit import RatePlan
from simulator.tenant import Tenant
from simulator.tenant_log import GeneratedLog
from simulator.tokens import Application
from simulator.users import Users
from tests.support.background import in_background

ADA = "auth0|ada/1 ü"
NOW = 1_795_000_000.0


class Directory:
    def __init__(self, tenant: Tenant) -> None:
        asked = {"grant_type": "client_credentials", "client_id": "sim-client", "client_secret": "sim-secret"}
        asked |= {"audience": "https://acme.eu.auth0.com/api/v2/"}
        token = httpx.post(f"{tenant.url}/oauth/token", json=asked).json()["access_token"]
        self.tenant = tenant
        self.http = httpx.Client(timeout=20, base_url=f"{tenant.url}/api/v2", headers={"Authorization": f"Bearer {token}"})
        self.users = Auth0(base_url=f"{tenant.url}/api/v2", token=token, httpx_client=self.http, max_retries=0).users

    def patch(self, body: object) -> httpx.Response:
        return self.http.patch("/users/auth0%7Cada%2F1%20%C3%BC", json=body)


@pytest.fixture
def directory() -> Iterator[Directory]:
    users = Users([{"user_id": ADA, "app_metadata": {"plan": "pro", "old": {"a": 1}}, "user_metadata": {"color": "red"}}])
    application = Application(scope="read:users update:users")
    with in_background(
        Tenant(GeneratedLog(origin=NOW), application=application, users=users, plan=RatePlan(50, 16), clock=lambda: NOW)
    ) as (tenant,):
        directory = Directory(tenant)
        with directory.http:
            yield directory


def test_a_user_is_found_by_an_id_of_any_kind(directory: Directory) -> None:
    assert directory.users.get(id=ADA).app_metadata == {"plan": "pro", "old": {"a": 1}}
    with pytest.raises(NotFoundError):
        directory.users.get(id="auth0|gone")


def test_metadata_is_merged_by_its_first_level(directory: Directory) -> None:
    updated = directory.users.update(id=ADA, app_metadata={"old": {"b": 2}, "plan": None, "seen": True})
    assert updated.app_metadata == {"old": {"b": 2}, "seen": True}
    assert directory.users.get(id=ADA).user_metadata == {"color": "red"}
    assert directory.tenant.users.by_id[ADA]["updated_at"] == "2026-11-18T11:06:40.000Z"


def test_an_empty_object_removes_all_metadata(directory: Directory) -> None:
    assert "user_metadata" not in directory.patch({"user_metadata": {}}).json()


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({}, "Too few properties"),
        ([], "Expected type object"),
        ({"app_metadata": []}, "Expected type object on property app_metadata"),
        ({"logins_count": 1}, "Additional properties not allowed: logins_count"),
    ],
)
def test_what_cannot_be_written_is_refused_with_the_reason(directory: Directory, body: object, says: str) -> None:
    refused = directory.patch(body)
    assert (refused.status_code, refused.json()["errorCode"]) == (400, "invalid_body")
    assert says in refused.json()["message"]


def test_reading_and_writing_need_a_scope_each(directory: Directory) -> None:
    directory.tenant.tokens.application = Application(scope="read:users")
    directory.users.get(id=ADA)
    with pytest.raises(ForbiddenError):
        directory.users.update(id=ADA, app_metadata={"seen": True})
    directory.tenant.tokens.application = Application(scope="update:users")
    with pytest.raises(ForbiddenError):
        directory.users.get(id=ADA)


def test_users_share_the_rate_limit_of_the_tenant(directory: Directory) -> None:
    found = [directory.http.get("/users/x") for _ in range(51)]
    assert [response.headers["x-ratelimit-remaining"] for response in found] == [*map(str, range(49, -1, -1)), "0"]
    assert [response.status_code for response in found] == [404] * 50 + [429]


def test_what_lies_below_a_user_is_another_endpoint(directory: Directory) -> None:
    assert directory.http.get("/users/auth0%7Cada%2F1%20%C3%BC/logs").json()["message"] == "Not Found"
