"""Auth0's tenant log as pages of events.

Source: Auth0's documentation of `GET /api/v2/logs` ("Retrieve log events using the Management API"): entries newer than `from`,
in the order of their ids; only the first request is built by hand, after that the `Link: rel="next"` URL is followed as given;
an empty page, not a short one, says that there is nothing newer.
"""

from __future__ import annotations

import asyncio
import re
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote, urlencode

import httpx

from producer.auth0.first_entry import FirstEntrySearch
from producer.auth0.response import BODY_CAP, DEADLINE, BoundedClient, error_text, json_object, rate_limit_of, without_query
from producer.auth0.token import Token
from producer.cursor import Page
from producer.observer import Auth0Requests
from producer.pacing import Pacing
from producer.start import PER_PAGE, SearchableLog
from shared.errors import Auth0Unavailable, CheckpointUnknown, CredentialsRefused, PageInvalid, RateLimited, ScopeMissing
from shared.event import Event, slice_page
from shared.logging import get_logger
from shared.masking import excerpt

_NEXT: Final = re.compile(r'<([^>]*)>\s*;[^,]*\brel="?next"?(?=[\s;,]|$)', re.IGNORECASE)

log = get_logger(__name__)


class _NotAccepted(Auth0Unavailable):
    """400 or 404, from Auth0 itself."""


class Auth0Logs(SearchableLog):
    """One tenant's log. `base_url` such as `https://acme.eu.auth0.com`; `batch_size` entries a page, at most 100; `rate_share`:
    the part of the rate limit that may be spent where there is no hurry; `deadline` in seconds, for one request; `body_cap` in
    bytes; `clock` in seconds, for the age of the token. `requests` counts every request.

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
        rate_share: float = 0.5,
        proxy: str | None = None,
        tls: ssl.SSLContext | None = None,
        deadline: float = DEADLINE,
        body_cap: int = BODY_CAP,
        clock: Callable[[], float] = time.monotonic,
        requests: Auth0Requests | None = None,
    ) -> None:
        self._http = BoundedClient(
            proxy=proxy,
            tls=tls,
            deadline=deadline,
            body_cap=body_cap,
            requests=requests or Auth0Requests(),
            too_large="lower BATCH_SIZE",
        )
        self._url = f"{base_url}/api/v2/logs"
        self._batch_size = batch_size
        self._warned: set[str] = set()
        self._pacing = Pacing(rate_share)
        #: The last page was full: there is more.
        self._hurry = False
        self._search = FirstEntrySearch()
        self._token = Token(
            self._http,
            url=f"{base_url}/oauth/token",
            client_id=client_id,
            client_secret=client_secret,
            audience=audience,
            clock=clock,
        )

    async def first(self) -> Event | None:
        """Returns the oldest entry that the tenant still has. After an error the next call goes on where this one was."""
        while not (self._search.found or self._search.exhausted):
            self._search.add(await self.search(self._search.page))
        search, self._search = self._search, FirstEntrySearch()
        if search.exhausted and search.event:
            log.warning("too many entries at the beginning of the log to be sure of the first one", first=search.event.log_id)
        return search.event

    async def after(self, log_id: str) -> Page:
        try:
            return await self.follow(f"{self._url}?{urlencode({'from': log_id, 'take': self._batch_size})}")
        except _NotAccepted as error:
            # The response to an unknown `from` is not documented; that to an unknown entry is: 404.
            if await self._knows(log_id):
                raise
            raise CheckpointUnknown(log_id, str(error)) from None

    async def follow(self, url: str) -> Page:
        response, body = await self._get(url)
        events = _events(response, body, url)
        self._hurry = len(events) >= self._batch_size
        following = self._following(response, events)
        leads_on = not events and following is not None and _leads_on(httpx.URL(following), response.url)
        return Page(events, following, is_full=self._hurry, leads_on=leads_on)

    async def search(self, page: int, *, newest_first: bool = False, before: datetime | None = None) -> Sequence[Event]:
        query = {"sort": "date:-1" if newest_first else "date:1", "page": page, "per_page": PER_PAGE}
        if before is not None:
            query["q"] = f"date:[* TO {before.isoformat(timespec='milliseconds').replace('+00:00', 'Z')}}}"
        url = f"{self._url}?{urlencode(query)}"
        response, body = await self._get(url)
        return _events(response, body, url)

    async def entry(self, log_id: str) -> Event | None:
        url = f"{self._url}/{quote(log_id, safe='')}"
        try:
            response, body = await self._get(url)
        except _NotAccepted:
            return None
        events = _events(response, b"[" + body + b"]", url)
        if len(events) != 1 or log_id.encode() not in events[0].raw:
            raise PageInvalid(f"{without_query(url)} returned 200, but not with this entry: a proxy in between?")
        return events[0]

    async def close(self) -> None:
        await self._http.close()

    async def _knows(self, log_id: str) -> bool:
        try:
            await self._get(f"{self._url}/{quote(log_id, safe='')}")
        except _NotAccepted:
            return False
        return True

    async def _get(self, url: str) -> tuple[httpx.Response, bytes]:
        response, body = await self._token.authorize(lambda headers: self._paced(url, headers))
        match response.status_code:
            case httpx.codes.OK:
                return response, body
            case httpx.codes.UNAUTHORIZED:
                raise CredentialsRefused(
                    f"{self._url} refuses a fresh token (401): AUTH0_AUDIENCE must be the Management API of this very tenant, "
                    "https://TENANT.REGION.auth0.com/api/v2/, also where AUTH0_DOMAIN is a custom domain. It stands in the Auth0 "
                    "dashboard under Applications → APIs → Auth0 Management API"
                )
            case status:
                raise self._unexpected(status, json_object(body))

    def _unexpected(self, status: int, fields: dict[str, Any] | None) -> Exception:
        what = f"{self._url} returned {status}{error_text(fields or {})}"
        if fields is None:
            return Auth0Unavailable(f"{what} with something that is no JSON object: a proxy in between?")
        match status:
            case httpx.codes.FORBIDDEN:
                self._token.discard_stale()
                return ScopeMissing(
                    f"{what}: the application lacks the scope read:logs. Grant it in the Auth0 dashboard under "
                    "Applications → APIs → Auth0 Management API → Machine to Machine Applications → your application"
                )
            case httpx.codes.BAD_REQUEST | httpx.codes.NOT_FOUND:
                return _NotAccepted(what)
            case _:
                return Auth0Unavailable(what)

    async def _paced(self, url: str, headers: Mapping[str, str]) -> tuple[httpx.Response, bytes]:
        await asyncio.sleep(self._pacing.wait(time.monotonic(), hurry=self._hurry))
        try:
            response, body = await self._http.request("GET", url, headers=headers)
        except RateLimited:
            self._pacing.refused(time.monotonic())
            raise
        self._pacing.responded(rate_limit_of(response.headers, time.time()), time.monotonic())
        return response, body

    def _following(self, response: httpx.Response, events: Sequence[Event]) -> str | None:
        """Returns the link to the page after this one, if it is one of this log and follows this page."""
        url = next_url(response.url, response.headers.get("link", ""))
        if url is None:
            return None
        ours = httpx.URL(self._url)
        if _origin(url) != _origin(ours) or url.path != ours.path:
            # The token goes where the request goes: never to another origin.
            if self._is_first("elsewhere"):
                log.warning("Auth0's next page lies elsewhere; asking by checkpoint instead", url=without_query(str(url)))
            return None
        since = ", ".join(url.params.get_list("from")) or "nothing"
        if events and since not in (events[-1].log_id, max(event.log_id for event in events)):
            if self._is_first("misleading"):
                log.warning("Auth0's next page does not follow this one; asking by checkpoint instead", page_after=since)
            return None
        return str(url)

    def _is_first(self, oddity: str) -> bool:
        """Logged once: it may be so on every page."""
        first = oddity not in self._warned
        self._warned.add(oddity)
        return first


def next_url(asked: httpx.URL, link: str) -> httpx.URL | None:
    """Returns the URL of `rel="next"` in a `Link` header of the response to `asked`; None where there is none."""
    match = _NEXT.search(link)
    try:
        return asked.join(match[1]) if match else None
    except httpx.InvalidURL:
        return None


def _leads_on(following: httpx.URL, asked: httpx.URL) -> bool:
    """The link of an empty page at the end of the log leads to that page once more."""
    return sorted(following.params.multi_items()) != sorted(asked.params.multi_items())


def _origin(url: httpx.URL) -> tuple[str, bytes, bytes]:
    return url.scheme, url.netloc, url.userinfo


def _events(response: httpx.Response, body: bytes, url: str) -> list[Event]:
    try:
        return slice_page(body)
    except PageInvalid as error:
        kind = excerpt(response.headers.get("content-type", "no content type"), 80)
        raise PageInvalid(f"{without_query(url)} returned 200 ({kind}, {len(body)} bytes), but {error}") from None
