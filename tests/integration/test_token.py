"""One token for many requests at once, by real HTTP: however it comes to be refused, and however the responses overlap."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from producer.auth0.management import ManagementApi
from shared.errors import Auth0Unavailable, CredentialsRefused, WebhooksError
from simulator.faults import HttpFault, slow, status
from simulator.tenant import Tenant
from simulator.tokens import Application
from simulator.users import Users
from tests.support.listed_log import ListedLog

ADA = "auth0|ada"
PATH = "/users/auth0%7Cada"


class SharedToken:
    """A tenant and a client of it, whose requests share a token."""

    def __init__(self, tenant: Tenant) -> None:
        self.tenant = tenant
        #: For the age of the token.
        self.now = 0.0
        application = tenant.tokens.application
        self.api = ManagementApi(
            base_url=tenant.url,
            client_id=application.client_id,
            client_secret=application.client_secret,
            audience=f"{tenant.url}/api/v2/",
            deadline=5,
            clock=lambda: self.now,
        )

    @property
    def tokens(self) -> int:
        return self.tenant.count("/oauth/token")

    async def get(self) -> int:
        return (await self.api.request("GET", PATH))[0]

    async def get_many(self, count: int = 20) -> list[int | BaseException]:
        return await asyncio.gather(*(self.get() for _ in range(count)), return_exceptions=True)


@asynccontextmanager
async def shared_token() -> AsyncIterator[SharedToken]:
    tenant = Tenant(ListedLog(), application=Application(scope="read:users"), users=Users([{"user_id": ADA}]))
    await tenant.start()
    shared = SharedToken(tenant)
    try:
        yield shared
    finally:
        await shared.api.close()
        await tenant.stop()


@pytest.fixture
async def shared() -> AsyncIterator[SharedToken]:
    async with shared_token() as shared:
        yield shared


async def test_of_many_requests_that_are_refused_at_once_one_fetches_a_token(shared: SharedToken) -> None:
    """The second 401 discarded the token that the first one had fetched."""
    await shared.get()
    shared.tenant.tokens.revoke()
    # Their refusals come one after another, the last when the first one has long had a fresh token.
    shared.tenant.faults.in_order(*(slow(0.03 * number) for number in range(20)))
    assert await shared.get_many() == [200] * 20
    assert shared.tokens == 2


@settings(max_examples=15)
@given(
    st.lists(
        st.tuples(st.sampled_from(["ask", "ask", "ask", "revoke"]), st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=25
    )
)
def test_each_refusal_costs_a_token_at_most_and_no_request_is_refused_for_an_old_one(
    steps: list[tuple[str, int, int]],
) -> None:
    async def play() -> None:
        async with shared_token() as shared:
            asked, revoked = [], 0
            await shared.get()
            for step, wait, delay in steps:
                if step == "revoke":
                    await shared.get()  # one that was never accepted counts as wrong, not as old
                    shared.tenant.tokens.revoke()
                    revoked += 1
                else:
                    shared.tenant.faults.in_order(slow(delay * 0.005))
                    asked.append(asyncio.ensure_future(shared.get()))
                await asyncio.sleep(wait * 0.003)
            found = await asyncio.gather(*asked)
            assert shared.tokens <= 1 + revoked
            if revoked <= 1:
                assert set(found) <= {200}
            assert await shared.get() == 200

    asyncio.run(play())


async def test_a_scope_that_is_missing_costs_a_token_an_hour_and_one_that_was_granted_is_seen_then(shared: SharedToken) -> None:
    shared.tenant.tokens.application = Application(scope="")
    for moment, tokens in ((0, 1), (3599, 1), (3600, 1), (3601, 2), (7000, 2), (7300, 2)):
        shared.now = moment
        assert await shared.get() == 403
        assert shared.tokens == tokens, moment
    shared.tenant.tokens.application = Application(scope="read:users")
    assert await shared.get() == 200


async def test_a_token_that_was_never_accepted_is_not_replaced_by_its_like(shared: SharedToken) -> None:
    shared.tenant.faults.add(status(401, body=b'{"statusCode":401,"message":"Bad audience"}'))
    for _ in range(3):
        assert set(await shared.get_many()) == {401}
    assert shared.tokens == 1


@pytest.mark.parametrize(
    ("fault", "error"),
    [(status(401, body=b'{"error":"access_denied"}'), CredentialsRefused), (status(503), Auth0Unavailable)],
    ids=["refused", "down"],
)
async def test_all_that_wait_for_a_token_share_the_end_of_its_request(
    shared: SharedToken, fault: HttpFault, error: type[WebhooksError]
) -> None:
    """Each asked for a token of its own, one after another, and the last waited for all of them."""
    shared.tenant.token_faults.add(fault)
    assert {type(found) for found in await shared.get_many()} == {error}
    assert shared.tokens == 1
    shared.tenant.token_faults.clear()
    assert await shared.get() == 200


async def test_a_request_that_is_given_up_leaves_the_token_to_the_others(shared: SharedToken) -> None:
    shared.tenant.token_faults.in_order(slow(0.2))
    requests = [asyncio.ensure_future(shared.get()) for _ in range(3)]
    await asyncio.sleep(0.05)
    requests[0].cancel()
    assert await asyncio.gather(*requests[1:]) == [200, 200]
