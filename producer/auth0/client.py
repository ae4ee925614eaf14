"""Auth0's tenant log as pages of events.

Source: Auth0's documentation of `GET /api/v2/logs` ("Retrieve log events using the Management API"): entries newer than `from`,
in the order of their ids; only the first request is built by hand, after that the `Link: rel="next"` URL is followed as given;
an empty page, not a short one, says that there is nothing newer.
"""

from __future__ import annotations

import re
import ssl
import time
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import quote, urlencode

import httpx

from producer.auth0.first_entry import PER_PAGE, FirstEntry
from producer.auth0.response import BODY_CAP, DEADLINE, HttpxAsk, object_in, place, words_in
from producer.auth0.token import Token
from producer.cursor import Page, PageSource
from shared.errors import Auth0Unavailable, CheckpointUnknown, CredentialsRefused, PageInvalid, ScopeMissing
from shared.event import Event, slice_page
from shared.logging import get_logger
from shared.masking import excerpt

_NEXT: Final = re.compile(r'<([^>]*)>\s*;[^,]*\brel="?next"?(?=[\s;,]|$)', re.IGNORECASE)

log = get_logger(__name__)


class _Rejected(Auth0Unavailable):
    """400 or 404, from Auth0 itself."""


class Auth0Logs(PageSource):
    """One tenant's log. `base_url` such as `https://acme.eu.auth0.com`; `batch_size` entries a page, at most 100; `deadline` in
    seconds, for one request; `body_cap` in bytes; `clock` in seconds, for the age of the token.

    All methods raise `CredentialsRefused` and `ScopeMissing` (a person has to act), and `Auth0Unavailable`, `PageInvalid` and
    `RateLimited` (try again later).
    """

    def __init__(
        self,
        *,
        base_url: str,
        client_id: str,
        client_secret: str,
        audience: str,
        batch_size: int,
        proxy: str | None = None,
        tls: ssl.SSLContext | None = None,
        deadline: float = DEADLINE,
        body_cap: int = BODY_CAP,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = httpx.AsyncClient(
            timeout=httpx.Timeout(DEADLINE, connect=10.0),
            follow_redirects=False,
            trust_env=False,
            proxy=proxy,
            verify=tls or True,
        )
        peer = "AUTH0_PROXY" if proxy else "AUTH0_DOMAIN"
        self._ask = HttpxAsk(self._client, deadline=deadline, body_cap=body_cap, peer=peer)
        self._url = f"{base_url}/api/v2/logs"
        self._batch_size = batch_size
        self._warned = False
        self._search = FirstEntry()
        self._token = Token(
            self._ask,
            url=f"{base_url}/oauth/token",
            client_id=client_id,
            client_secret=client_secret,
            audience=audience,
            clock=clock,
        )

    async def after(self, log_id: str) -> Page:
        """The page of entries that are newer than `log_id`. Raises also `CheckpointUnknown`."""
        try:
            return await self.follow(f"{self._url}?{urlencode({'from': log_id, 'take': self._batch_size})}")
        except _Rejected as error:
            # What an unknown `from` gets is not documented; what the entry itself gets is: 404.
            if await self._knows(log_id):
                raise
            raise CheckpointUnknown(log_id, str(error)) from None

    async def follow(self, url: str) -> Page:
        """The page at the URL that the page before it named."""
        answer, body = await self._get(url)
        return Page(_events(answer, body, url), self._following(answer))

    async def first(self) -> Event | None:
        """The oldest entry that the tenant still has; None in an empty log. After an error it goes on where it was."""
        while not (self._search.found or self._search.exhausted):
            url = f"{self._url}?{urlencode({'sort': 'date:1', 'page': self._search.page, 'per_page': PER_PAGE})}"
            answer, body = await self._get(url)
            self._search.add(_events(answer, body, url))
        search, self._search = self._search, FirstEntry()
        if search.exhausted and search.event:
            log.warning("too many entries at the begin of the log to be sure of the first one", first=search.event.log_id)
        return search.event

    async def close(self) -> None:
        await self._client.aclose()

    async def _knows(self, log_id: str) -> bool:
        try:
            await self._get(f"{self._url}/{quote(log_id, safe='')}")
        except _Rejected:
            return False
        return True

    async def _get(self, url: str) -> tuple[httpx.Response, bytes]:
        answer, body = await self._authorized(url)
        if answer.status_code == httpx.codes.UNAUTHORIZED:
            self._token.refuse()
            answer, body = await self._authorized(url)
        match answer.status_code:
            case httpx.codes.OK:
                return answer, body
            case httpx.codes.UNAUTHORIZED:
                raise CredentialsRefused(
                    f"{self._url} refuses a fresh token (401): AUTH0_AUDIENCE must be the Management API of this very tenant, "
                    "https://TENANT.REGION.auth0.com/api/v2/, also where AUTH0_DOMAIN is a custom domain. It stands in the Auth0 "
                    "dashboard under Applications → APIs → Auth0 Management API"
                )
            case status:
                raise self._unexpected(status, object_in(body))

    def _unexpected(self, status: int, said: dict[str, Any] | None) -> Exception:
        heard = f"{self._url} answered {status}{words_in(said or {})}"
        if said is None:
            return Auth0Unavailable(f"{heard} with something that is no JSON object: a proxy in between?")
        match status:
            case httpx.codes.FORBIDDEN:
                return ScopeMissing(
                    f"{heard}: the application lacks the scope read:logs. Grant it in the Auth0 dashboard under "
                    "Applications → APIs → Auth0 Management API → Machine to Machine Applications → your application"
                )
            case httpx.codes.BAD_REQUEST | httpx.codes.NOT_FOUND:
                return _Rejected(heard)
            case _:
                return Auth0Unavailable(heard)

    async def _authorized(self, url: str) -> tuple[httpx.Response, bytes]:
        return await self._ask("GET", url, headers={"Authorization": f"Bearer {await self._token.value()}"})

    def _following(self, answer: httpx.Response) -> str | None:
        match = _NEXT.search(answer.headers.get("link", ""))
        if match is None:
            return None
        try:
            url = answer.url.join(match[1])
        except httpx.InvalidURL:
            return None
        if _origin(url) == _origin(httpx.URL(self._url)):
            return str(url)
        # The token goes where the request goes: never to another origin. Said once, since every page can be so.
        if not self._warned:
            log.warning("Auth0's next page lies at another origin; asking by checkpoint instead", url=place(str(url)))
            self._warned = True
        return None


def _origin(url: httpx.URL) -> tuple[str, bytes, bytes]:
    return url.scheme, url.netloc, url.userinfo


def _events(answer: httpx.Response, body: bytes, url: str) -> list[Event]:
    try:
        return slice_page(body)
    except PageInvalid as error:
        kind = excerpt(answer.headers.get("content-type", "no content type"), 80)
        raise PageInvalid(f"{place(url)} answered 200 ({kind}, {len(body)} bytes), but {error}") from None
